"""What moved: the ledger, refunds, and what Stripe and we disagree on until a person has explained it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from bookings.money import format_pesos
from payments.models.obligations import Account
from payments.policies import BreakKind, DisputeStatus, RefundState


class Refund(models.Model):
    """Money on its way back to a guest; until Stripe has paid it, it counts as owed to them.

    One that failed stays owed until another one replaces it, for the whole sum or for what is left. Those
    that somebody makes at Stripe have rows like ours, found by Stripe's id as they carry no key of ours.
    """

    STATES: ClassVar = {
        RefundState.REQUESTED: _("requested"),
        RefundState.SUBMITTED: _("on its way"),
        RefundState.SUCCEEDED: _("refunded"),
        RefundState.FAILED: _("failed"),
        RefundState.VOID: _("given up"),
    }

    attempt = models.ForeignKey(
        "payments.PaymentAttempt", models.PROTECT, related_name="refunds", verbose_name=_("attempt")
    )
    amount_minor = models.BigIntegerField(_("amount (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=40)
    state = models.CharField(_("state"), max_length=10, choices=STATES, default=RefundState.REQUESTED)
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    stripe_refund_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    replaces = models.OneToOneField(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="replacement",
        verbose_name=_("instead of the refund"),
    )
    failure = models.CharField(_("failure"), max_length=200, blank=True)
    check_at = models.DateTimeField(_("next look"))
    checks = models.PositiveSmallIntegerField(_("looks"), default=0)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("last change"))

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("id",)
        permissions = (("give_up_refund", _("Can give up refunds that failed")),)
        indexes = (
            models.Index(
                name="payments_refunds_to_look_at",
                fields=("check_at",),
                condition=Q(state__in=[RefundState.REQUESTED, RefundState.SUBMITTED]),
            ),
        )
        constraints = (
            models.CheckConstraint(
                name="payments_refund_makes_sense",
                condition=Q(amount_minor__gt=0, state__in=list(RefundState)),
            ),
            models.CheckConstraint(
                name="payments_refund_at_stripe_has_its_id",
                condition=~Q(state__in=[RefundState.SUBMITTED, RefundState.SUCCEEDED])
                | Q(stripe_refund_id__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"{self.attempt} {format_pesos(-self.amount_minor)}"


class Dispute(models.Model):
    """A cardholder's objection to a charge: while it stands, nothing is collected for its booking.

    An inquiry (``warning_…``) moves no money. A chargeback takes it at once and gives it back when it is won.
    """

    STATUSES: ClassVar = {
        DisputeStatus.WARNING_NEEDS_RESPONSE: _("inquiry, waits for our answer"),
        DisputeStatus.WARNING_UNDER_REVIEW: _("inquiry, with the bank"),
        DisputeStatus.WARNING_CLOSED: _("inquiry closed"),
        DisputeStatus.NEEDS_RESPONSE: _("waits for our evidence"),
        DisputeStatus.UNDER_REVIEW: _("with the bank"),
        DisputeStatus.APPEAL_NEEDS_RESPONSE: _("appeal, waits for our evidence"),
        DisputeStatus.APPEAL_UNDER_REVIEW: _("appeal, with the bank"),
        DisputeStatus.WON: _("won"),
        DisputeStatus.LOST: _("lost to the cardholder"),
        DisputeStatus.PREVENTED: _("prevented"),
        DisputeStatus.OTHER: _("look at Stripe"),
    }

    attempt = models.ForeignKey(
        "payments.PaymentAttempt", models.PROTECT, related_name="disputes", verbose_name=_("attempt")
    )
    stripe_dispute_id = models.CharField(_("dispute at Stripe"), max_length=255, unique=True)
    amount_minor = models.BigIntegerField(_("amount (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=100)
    status = models.CharField(_("status"), max_length=30, choices=STATUSES)
    withheld_minor = models.BigIntegerField(_("taken by the bank (centavos)"), default=0)
    is_refundable = models.BooleanField(_("can still be refunded"))
    due_by = models.DateTimeField(_("evidence due by"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened"))
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("last change"))

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                name="payments_dispute_makes_sense",
                condition=Q(amount_minor__gt=0, withheld_minor__gte=0, status__in=list(DisputeStatus)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.attempt} {self.stripe_dispute_id}"


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


class LedgerTransfer(models.Model):
    """Money moved between two accounts: a double entry in one row, posted once, never changed."""

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="transfers", verbose_name=_("booking"))
    source_type = models.CharField(_("cause"), max_length=40)
    source_id = models.CharField(_("id of the cause"), max_length=255)
    debit = models.CharField(_("debit"), max_length=20, choices=Account)
    credit = models.CharField(_("credit"), max_length=20, choices=Account)
    amount_minor = models.BigIntegerField(_("amount (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    posted_at = models.DateTimeField(_("posted"))

    class Meta:
        verbose_name = _("ledger transfer")
        verbose_name_plural = _("ledger")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                name="payments_each_cause_posts_once", fields=("source_type", "source_id")
            ),
            models.CheckConstraint(name="payments_transfer_is_positive", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="payments_transfer_has_two_sides",
                condition=~Q(debit=F("credit")) & Q(debit__in=Account.values, credit__in=Account.values),
            ),
        )

    def __str__(self) -> str:
        return f"{self.source_type} {self.source_id}"
