"""How far our rows and Stripe's were found to tell the same story, and of which account it is."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class StripeMemory(models.Model):
    """One row: it is restored with a backup, and so tells how old what we know is.

    ``account_id`` is Stripe's id of the account that our customers belong to. ``compared_at`` is the last
    time at which Stripe knew nothing of ours that we did not. While ``locked_at`` is set, nothing is charged
    and no payment page is opened.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    account_id = models.CharField(_("Stripe account"), max_length=255, blank=True)
    compared_at = models.DateTimeField(_("compared"), null=True, blank=True)
    locked_at = models.DateTimeField(_("locked"), null=True, blank=True)

    class Meta:
        verbose_name = _("what we know of Stripe")
        verbose_name_plural = _("what we know of Stripe")
        constraints = (models.CheckConstraint(name="payments_stripe_memory_is_one_row", condition=Q(id=1)),)

    def __str__(self) -> str:
        return self.account_id
