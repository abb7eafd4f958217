"""What is owed and what was tried: a booking's account, its payments, their attempts.

Migration 0002 adds the triggers: the ledger is append-only and alone writes the account of a booking, what
was agreed about an attempt never changes, states move only forward, and nights stay blocked while money may
still be taken for them.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from payments import policies
from payments.policies import AttemptState, Channel, PaymentKind, PaymentStatus


class Account(models.TextChoices):
    """The accounts of the ledger; each belongs to one booking."""

    RECEIVABLE = "receivable", _("owed by the guest")
    LODGING = "lodging", _("lodging income")
    CLEANING = "cleaning", _("cleaning income")
    TAX = "tax", _("tax payable")
    CANCELLATION = "cancellation", _("cancellation income")
    STRIPE = "stripe", _("held by Stripe")
    DISPUTES = "disputes", _("held in disputes")
    DISPUTE_LOSSES = "dispute_losses", _("lost in disputes")


class BookingAccount(models.Model):
    """The sums of a booking, written by the database's triggers only; the last bound on every charge.

    The database refuses to take more than is owed, and refuses an over-payment without an open refund.
    The saved card is here because it belongs to the booking's money.
    """

    booking = models.OneToOneField(Booking, models.PROTECT, primary_key=True, related_name="account")
    owed_minor = models.BigIntegerField(_("owed"), default=0)
    in_flight_minor = models.BigIntegerField(_("being charged"), default=0)
    captured_minor = models.BigIntegerField(_("charged"), default=0)
    refunding_minor = models.BigIntegerField(_("being refunded"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded"), default=0)
    # With a default in the database, so that the release before this one can still open accounts.
    disputed_minor = models.BigIntegerField(_("held in disputes"), default=0, db_default=0)
    lost_minor = models.BigIntegerField(_("lost in disputes"), default=0, db_default=0)
    stripe_customer_id = models.CharField(max_length=255, blank=True)
    stripe_payment_method_id = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = _("account of a booking")
        verbose_name_plural = _("accounts of bookings")
        constraints = (
            models.CheckConstraint(
                name="payments_never_take_more_than_is_owed",
                condition=Q(
                    owed_minor__gte=F("captured_minor")
                    + F("in_flight_minor")
                    - F("refunding_minor")
                    - F("refunded_minor")
                    - F("lost_minor")
                ),
            ),
            models.CheckConstraint(
                name="payments_never_refund_more_than_was_taken",
                condition=Q(captured_minor__gte=F("refunding_minor") + F("refunded_minor")),
            ),
            models.CheckConstraint(
                name="payments_account_sums_are_not_negative",
                condition=Q(
                    owed_minor__gte=0,
                    in_flight_minor__gte=0,
                    captured_minor__gte=0,
                    refunding_minor__gte=0,
                    refunded_minor__gte=0,
                    disputed_minor__gte=0,
                    lost_minor__gte=0,
                ),
            ),
        )

    def __str__(self) -> str:
        return str(self.booking)

    @property
    def paid_minor(self) -> int:
        """What the guest has paid and neither got back nor is about to, nor had the bank take back."""
        return self.captured_minor - self.refunding_minor - self.refunded_minor - self.lost_minor

    @property
    def due_minor(self) -> int:
        return self.owed_minor - self.paid_minor


class Payment(models.Model):
    """An obligation: a sum a guest owes for a booking, whatever number of attempts it takes."""

    KINDS: ClassVar = {
        PaymentKind.DEPOSIT: _("deposit"),
        PaymentKind.BALANCE: _("balance"),
        PaymentKind.TOPUP: _("top-up"),
        PaymentKind.EXTENSION: _("extension"),
        PaymentKind.FEE: _("cancellation fee"),
    }
    STATUSES: ClassVar = {
        PaymentStatus.PENDING: _("to be charged"),
        PaymentStatus.PROCESSING: _("being charged"),
        PaymentStatus.UNKNOWN: _("outcome unknown"),
        PaymentStatus.REQUIRES_ACTION: _("waiting for the guest"),
        PaymentStatus.FAILED: _("declined"),
        PaymentStatus.PAID: _("paid"),
        PaymentStatus.VOID: _("void"),
    }

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="payments", verbose_name=_("booking"))
    kind = models.CharField(_("kind"), max_length=10, choices=KINDS)
    seq = models.PositiveSmallIntegerField(_("number"), default=1)
    amount_minor = models.BigIntegerField(_("amount (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    status = models.CharField(_("status"), max_length=16, choices=STATUSES, default=PaymentStatus.PENDING)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        permissions = (("waive_debt", _("Can waive debts that nothing collects")),)
        ordering = ("booking", "id")
        constraints = (
            models.UniqueConstraint(name="payments_payment_number", fields=("booking", "kind", "seq")),
            models.UniqueConstraint(
                name="payments_one_balance_per_booking",
                fields=("booking",),
                condition=Q(kind=PaymentKind.BALANCE) & ~Q(status=PaymentStatus.VOID),
            ),
            models.UniqueConstraint(
                name="payments_one_open_surcharge_per_booking",
                fields=("booking",),
                condition=Q(kind__in=list(policies.SURCHARGES))
                & ~Q(status__in=[PaymentStatus.PAID, PaymentStatus.VOID]),
            ),
            models.CheckConstraint(name="payments_payment_is_positive", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="payments_payment_kind_known", condition=Q(kind__in=list(PaymentKind))
            ),
            models.CheckConstraint(
                name="payments_payment_status_known", condition=Q(status__in=list(PaymentStatus))
            ),
        )

    def __str__(self) -> str:
        return f"{self.booking} {self.get_kind_display()} {self.seq}"


class PaymentAttempt(models.Model):
    """One try at a payment: one PaymentIntent or one Checkout Session, so at most one success.

    ``key`` is the root of its idempotency keys; with the amount, card and addresses it is fixed before the
    first call, so every repetition is the same request. ``check_at`` is when the janitor may look at it.
    ``confirm_n`` numbers the keys of its confirmation, the present one first used at ``confirm_asked_at``.
    """

    STATES: ClassVar = {
        AttemptState.CLAIMED: _("claimed"),
        AttemptState.CREATED: _("created"),
        AttemptState.CONFIRMING: _("confirming"),
        AttemptState.PROCESSING: _("processing"),
        AttemptState.UNKNOWN: _("unknown"),
        AttemptState.OPEN: _("open"),
        AttemptState.SUCCEEDED: _("succeeded"),
        AttemptState.DECLINED: _("declined"),
        AttemptState.CANCELED: _("canceled"),
        AttemptState.EXPIRED: _("expired"),
    }
    CHANNELS: ClassVar = {Channel.OFF_SESSION: _("saved card"), Channel.CHECKOUT: _("payment page")}

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts", verbose_name=_("payment"))
    n = models.PositiveSmallIntegerField(_("attempt"))
    channel = models.CharField(_("channel"), max_length=12, choices=CHANNELS)
    state = models.CharField(_("state"), max_length=12, choices=STATES, default=AttemptState.CLAIMED)
    amount_minor = models.BigIntegerField(_("amount (centavos)"))
    currency = models.CharField(_("currency"), max_length=3)
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    stripe_customer_id = models.CharField(max_length=255, blank=True)
    stripe_payment_method_id = models.CharField(max_length=255, blank=True)
    base_url = models.URLField()
    session_expires_at = models.DateTimeField(null=True, blank=True)
    stripe_intent_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_session_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    session_url = models.TextField(blank=True)
    decline_code = models.CharField(_("decline code"), max_length=100, blank=True)
    advice_code = models.CharField(_("advice of the bank"), max_length=40, blank=True, db_default="")
    proof = models.CharField(_("proof that it takes no money"), max_length=200, blank=True)
    confirm_n = models.PositiveSmallIntegerField(default=1, db_default=1)
    confirm_asked_at = models.DateTimeField(null=True, blank=True)
    protocol_version = models.PositiveSmallIntegerField(default=policies.PROTOCOL_VERSION)
    check_at = models.DateTimeField(_("next look"))
    checks = models.PositiveSmallIntegerField(_("looks"), default=0)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("last change"))

    class Meta:
        verbose_name = _("payment attempt")
        verbose_name_plural = _("payment attempts")
        ordering = ("payment", "n")
        indexes = (
            models.Index(
                name="payments_attempts_to_look_at",
                fields=("check_at",),
                condition=Q(state__in=list(policies.LIVE_STATES)),
            ),
            models.Index(
                name="payments_attempts_declined",
                fields=("updated_at",),
                condition=Q(state=AttemptState.DECLINED),
            ),
        )
        constraints = (
            models.UniqueConstraint(name="payments_attempt_number", fields=("payment", "n")),
            models.UniqueConstraint(
                name="payments_one_live_or_won_attempt",
                fields=("payment",),
                condition=Q(state__in=list(policies.LIVE_OR_WON_STATES)),
            ),
            models.CheckConstraint(name="payments_attempt_is_positive", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="payments_attempt_words_known",
                condition=Q(state__in=list(AttemptState), channel__in=list(Channel)),
            ),
            models.CheckConstraint(
                name="payments_dead_attempt_has_proof",
                condition=~Q(state__in=list(policies.DEAD_STATES)) | ~Q(proof=""),
            ),
            models.CheckConstraint(
                name="payments_money_is_moved_by_a_stored_id",
                condition=~Q(
                    state__in=[AttemptState.CREATED, AttemptState.CONFIRMING, AttemptState.SUCCEEDED]
                )
                | Q(stripe_intent_id__isnull=False),
            ),
            models.CheckConstraint(
                name="payments_open_session_is_stored",
                condition=~Q(state=AttemptState.OPEN)
                | (Q(stripe_session_id__isnull=False) & ~Q(session_url="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.payment} #{self.n}"
