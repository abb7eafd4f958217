"""Whose card said no, and when it is asked again; who owes what."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.dunning_policies import MOST_STEPS, DeclineClass
from payments.models.obligations import Payment


class Dunning(models.Model):
    """How often a payment was refused, and what comes next: the row from which the scan finds the next try.

    It is written in the transaction that records the decline. ``next_at`` is empty when nothing comes by
    itself: the guest has the link.
    """

    CLASSES: ClassVar = {
        DeclineClass.SOFT: _("the card may be asked again"),
        DeclineClass.HARD: _("the card must not be asked again"),
        DeclineClass.DATA: _("the guest has to do something"),
    }

    payment = models.OneToOneField(Payment, models.PROTECT, primary_key=True, related_name="dunning")
    step = models.PositiveSmallIntegerField(
        _("refusals"),
    )
    decline_class = models.CharField(_("class"), max_length=4, choices=CLASSES)
    last_code = models.CharField(_("decline code"), max_length=100)
    next_at = models.DateTimeField(_("next try"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("last change"))

    class Meta:
        verbose_name = _("dunning")
        verbose_name_plural = _("dunning")
        indexes = (
            models.Index(
                name="payments_dunning_due", fields=("next_at",), condition=Q(next_at__isnull=False)
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="payments_dunning_ends", condition=Q(step__gte=1, step__lte=MOST_STEPS)
            ),
            models.CheckConstraint(
                name="payments_dunning_class_known", condition=Q(decline_class__in=list(DeclineClass))
            ),
            models.CheckConstraint(
                name="payments_only_soft_declines_are_tried_again",
                condition=Q(next_at__isnull=True) | Q(decline_class=DeclineClass.SOFT, step__lt=MOST_STEPS),
            ),
        )

    def __str__(self) -> str:
        return f"{self.payment}: {self.step}"


class Debt(Payment):
    """A payment that is due and not paid, in a list of its own."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("debt")
        verbose_name_plural = _("who owes what, what comes next")
