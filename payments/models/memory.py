"""What our rows were found to be worth: whether Stripe knows the same, and whether they hold together."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _


class StripeMemory(models.Model):
    """One row: it is restored with a backup, and so tells how old what we know is.

    ``account_id`` is Stripe's id of the account that our customers belong to. ``compared_at`` is the last
    time at which Stripe knew nothing of ours that we did not, and ``epoch`` the database in which that was
    so; empty while something of it could not be read. While ``locked_at`` is set, nothing is charged and no
    payment page is opened. Whatever Stripe told until ``events_until`` is in the inbox; one process at a time
    reads on from there, and the turn of one that died ends at ``reading_until``.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    account_id = models.CharField(_("Stripe account"), max_length=255, blank=True)
    compared_at = models.DateTimeField(_("compared"), null=True, blank=True)
    epoch = models.CharField(
        _("state of the database"), max_length=200, blank=True, default="", db_default=""
    )
    events_until = models.DateTimeField(_("events known until"), null=True, blank=True)
    reading_until = models.DateTimeField(_("events are being read until"), null=True, blank=True)
    locked_at = models.DateTimeField(_("locked"), null=True, blank=True)

    class Meta:
        verbose_name = _("what we know of Stripe")
        verbose_name_plural = _("what we know of Stripe")
        constraints = (models.CheckConstraint(name="payments_stripe_memory_is_one_row", condition=Q(id=1)),)

    def __str__(self) -> str:
        return self.account_id


class InvariantCheck(models.Model):
    """What was found when an invariant was checked last, one row each.

    While ``broken_since`` is set it does not hold, or could not be checked.
    """

    name = models.CharField(_("invariant"), max_length=10, primary_key=True)
    checked_at = models.DateTimeField(_("checked"))
    broken_since = models.DateTimeField(_("broken since"), null=True)
    count = models.PositiveIntegerField(_("rows"), default=0)
    rows = models.JSONField(_("which"), default=list)
    problem = models.CharField(_("why it could not be checked"), max_length=200, blank=True)
    seconds = models.FloatField(_("seconds"), default=0)

    class Meta:
        verbose_name = _("invariant")
        verbose_name_plural = _("invariants")
        ordering = (Length("name"), "name")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name
