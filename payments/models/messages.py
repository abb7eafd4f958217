"""What was said: Stripe's events as they came in, and the e-mails that guests are sent."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from payments.models.movements import Refund
from payments.models.obligations import Payment


class StripeEvent(models.Model):
    """Something Stripe told us, once: its id is the key, so a repetition is a conflict and only counted."""

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        APPLIED = "applied", _("applied")
        IGNORED = "ignored", _("ignored")
        PARKED = "parked", _("for a person")

    event_id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(_("type"), max_length=100)
    object_id = models.CharField(_("object"), max_length=255, db_index=True)
    api_version = models.CharField(max_length=40, blank=True)
    payload = models.JSONField()
    # Of an event that JSON in a column cannot hold, or that could not be read when it came.
    body = models.BinaryField(null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RECEIVED)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"))
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)
    # A webhook did not bring it in time: it was read from Stripe's list.
    is_fetched = models.BooleanField(_("fetched by ourselves"), db_default=False, default=False)
    repetitions = models.PositiveIntegerField(_("repetitions"), db_default=0, default=0)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ("-received_at",)
        indexes = (
            models.Index(name="payments_events_newest", fields=("received_at",)),
            models.Index(
                name="payments_events_to_apply", fields=("received_at",), condition=Q(state="received")
            ),
            models.Index(name="payments_events_parked", fields=("received_at",), condition=Q(state="parked")),
        )
        constraints = (
            models.CheckConstraint(
                name="payments_event_state_known",
                condition=Q(state__in=["received", "applied", "ignored", "parked"]),
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class GuestEmail(models.Model):
    """An e-mail a guest is to get once, written in the transaction of its cause and sent by a job."""

    class Kind(models.TextChoices):
        HOLD = "hold", _("dates held")
        CONFIRMED = "confirmed", _("booking confirmed")
        CHANGED = "changed", _("dates changed")
        ARRIVAL = "arrival", _("arrival is near")
        RECEIPT = "receipt", _("balance received")
        BALANCE_SOON = "balance_soon", _("balance falls due soon")
        PAYMENT_LINK = "payment_link", _("payment link")
        CANCELLED = "cancelled", _("booking cancelled")
        REFUND_SENT = "refund_sent", _("refund sent")
        REFUND_FAILED = "refund_failed", _("refund came back")

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="emails", verbose_name=_("booking"))
    payment = models.ForeignKey(
        Payment, models.PROTECT, null=True, blank=True, related_name="emails", verbose_name=_("payment")
    )
    refund = models.ForeignKey(
        Refund, models.PROTECT, null=True, blank=True, related_name="emails", verbose_name=_("refund")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    # What of its subject it tells of: the number of the refusal, the day of the charge, the change.
    version = models.PositiveIntegerField(_("version"), default=0, db_default=0)
    base_url = models.URLField()
    # What it tells, taken with its cause; empty in what an older release has asked for.
    facts = models.JSONField(default=dict, db_default={}, editable=False)
    created_at = models.DateTimeField(_("created"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    dropped_at = models.DateTimeField(_("dropped"), null=True, blank=True)

    class Meta:
        verbose_name = _("e-mail to a guest")
        verbose_name_plural = _("e-mails to guests")
        permissions = (("handle_guest_data", _("Can export and erase what we know of a guest")),)
        ordering = ("id",)
        indexes = (
            models.Index(
                name="payments_emails_to_send",
                fields=("created_at",),
                condition=Q(sent_at=None, dropped_at=None),
            ),
        )
        constraints = (
            models.UniqueConstraint(
                name="payments_one_email_per_version",
                fields=("booking", "kind", "payment", "refund", "version"),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="payments_email_kind_known",
                condition=Q(
                    kind__in=[
                        "hold",
                        "confirmed",
                        "changed",
                        "arrival",
                        "receipt",
                        "balance_soon",
                        "payment_link",
                        "cancelled",
                        "refund_sent",
                        "refund_failed",
                    ]
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.booking} {self.get_kind_display()}"
