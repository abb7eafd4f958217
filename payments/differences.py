"""What Stripe has and we have not, or otherwise: rows that a person has to close."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from payments.policies import BreakKind


class ReconciliationBreak(models.Model):
    """A difference between Stripe and us that a person has to explain. It stays until somebody closes it."""

    KINDS: ClassVar = {
        BreakKind.FOREIGN_CHARGE: _("Stripe took money that no attempt of ours asked for"),
        BreakKind.CHARGE_DIFFERS: _("a charge is not at Stripe what it is here"),
        BreakKind.FOREIGN_REFUND: _("Stripe paid money back that no refund of ours asked for"),
        BreakKind.REFUND_DIFFERS: _("a refund is not at Stripe what it is here"),
        BreakKind.UNKNOWN_CUSTOMER: _("Stripe does not know the guest's account with it"),
        BreakKind.FORGOTTEN: _("Stripe paid money back, and what asked for it was lost"),
    }

    kind = models.CharField(_("kind"), max_length=16, choices=KINDS)
    stripe_id = models.CharField(_("object at Stripe"), max_length=255)
    ours = models.CharField(_("here"), max_length=200, blank=True)
    theirs = models.CharField(_("at Stripe"), max_length=200)
    booking = models.ForeignKey(
        Booking, models.PROTECT, null=True, blank=True, related_name="breaks", verbose_name=_("booking")
    )
    found_at = models.DateTimeField(_("found"))
    seen_at = models.DateTimeField(_("last seen"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True)
    explanation = models.TextField(_("explanation"), blank=True)

    class Meta:
        verbose_name = _("difference with Stripe")
        verbose_name_plural = _("differences with Stripe")
        ordering = ("-found_at",)
        permissions = (("close_reconciliationbreak", _("Can close differences with Stripe")),)
        constraints = (
            models.UniqueConstraint(name="payments_one_break_per_object", fields=("kind", "stripe_id")),
            models.CheckConstraint(name="payments_break_kind_known", condition=Q(kind__in=list(BreakKind))),
            models.CheckConstraint(
                name="payments_closed_break_is_explained",
                condition=Q(closed_at__isnull=True, closed_by="", explanation="")
                | (Q(closed_at__isnull=False) & ~Q(closed_by="") & ~Q(explanation="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.stripe_id}"
