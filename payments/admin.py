"""The admin pages of money. Nothing here can be changed: the ledger is written by the site alone."""

from __future__ import annotations

from typing import Any, Protocol

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from bookings.admin import BookingAdmin, read_reference
from bookings.models import Booking
from bookings.money import format_pesos
from bookings.read_only import ReadOnly, column, link_to
from payments.ledger import breaks
from payments.models import (
    BookingAccount,
    GuestEmail,
    LedgerTransfer,
    Payment,
    PaymentAttempt,
    ReconciliationBreak,
    Refund,
    StripeEvent,
)


class _HasAmount(Protocol):
    amount_minor: int


class AmountInPesos:
    """Mix into the pages of rows that have an amount."""

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: _HasAmount) -> str:
        return format_pesos(row.amount_minor)


class MoneyAdmin(AmountInPesos, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What the lists of money have in common: pesos, and a booking to go to and to search by."""

    list_per_page = 50
    show_full_result_count = False
    search_help_text = _("Folio or public id of the booking, e-mail, or an id of Stripe's")
    # How a row leads to its booking.
    to_booking = "booking"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        named = read_reference(search_term)
        if named is not None:
            return queryset.filter(**{f"{self.to_booking}__public_id__range": named}), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("booking"))
    def booking_link(self, row: Any) -> SafeString:
        return link_to(row.booking)


class AccountInline(ReadOnly, admin.StackedInline):  # type: ignore[type-arg]
    model = BookingAccount
    readonly_fields = ("owed", "in_flight", "captured", "refunding", "refunded", "customer")
    fields = readonly_fields
    customer = column("stripe_customer_id", _("customer at Stripe"))

    @admin.display(description=_("owed"))
    def owed(self, account: BookingAccount) -> str:
        return format_pesos(account.owed_minor)

    @admin.display(description=_("being charged"))
    def in_flight(self, account: BookingAccount) -> str:
        return format_pesos(account.in_flight_minor)

    @admin.display(description=_("charged"))
    def captured(self, account: BookingAccount) -> str:
        return format_pesos(account.captured_minor)

    @admin.display(description=_("being refunded"))
    def refunding(self, account: BookingAccount) -> str:
        return format_pesos(account.refunding_minor)

    @admin.display(description=_("refunded"))
    def refunded(self, account: BookingAccount) -> str:
        return format_pesos(account.refunded_minor)


class PaymentInline(AmountInPesos, ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Payment
    readonly_fields = ("kind", "amount", "status", "reason", "created_at")
    fields = readonly_fields
    show_change_link = True


@admin.register(Booking)
class BookingWithMoneyAdmin(BookingAdmin):
    inlines = (AccountInline, PaymentInline)


class AttemptInline(AmountInPesos, ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = PaymentAttempt
    readonly_fields = (
        "n",
        "channel",
        "state",
        "amount",
        "decline_code",
        "proof",
        "intent",
        "session",
        "checks",
        "check_at",
        "created_at",
        "updated_at",
    )
    fields = readonly_fields
    intent = column("stripe_intent_id", _("PaymentIntent"))
    session = column("stripe_session_id", _("Checkout Session"))


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ("id", "booking_link", "kind", "amount", "status", "reason", "created_at")
    list_filter = ("status", "kind", "created_at")
    list_select_related = ("booking",)
    search_fields = (
        "booking__guest_email",
        "attempts__stripe_intent_id__exact",
        "attempts__stripe_session_id__exact",
    )
    readonly_fields = ("booking_link", "kind", "seq", "amount", "status", "reason", "created_at")
    fields = readonly_fields
    inlines = (AttemptInline,)


@admin.register(Refund)
class RefundAdmin(MoneyAdmin):
    list_display = ("id", "booking_link", "payment_link", "amount", "state", "reason", "created_at")
    list_filter = ("state", "created_at")
    list_select_related = ("attempt__payment__booking",)
    to_booking = "attempt__payment__booking"
    search_fields = (
        "attempt__payment__booking__guest_email",
        "stripe_refund_id__exact",
        "attempt__stripe_intent_id__exact",
    )
    readonly_fields = (
        "booking_link",
        "payment_link",
        "amount",
        "reason",
        "state",
        "failure",
        "at_stripe",
        "checks",
        "check_at",
        "created_at",
        "updated_at",
    )
    fields = readonly_fields
    at_stripe = column("stripe_refund_id", _("refund at Stripe"))

    @admin.display(description=_("booking"))
    def booking_link(self, row: Any) -> SafeString:
        return link_to(row.attempt.payment.booking)

    @admin.display(description=_("payment"))
    def payment_link(self, refund: Refund) -> SafeString:
        return link_to(refund.attempt.payment)


@admin.register(LedgerTransfer)
class LedgerTransferAdmin(MoneyAdmin):
    list_display = (
        "id",
        "booking_link",
        "source_type",
        "source_id",
        "debit",
        "credit",
        "amount",
        "posted_at",
    )
    list_filter = ("debit", "credit", "posted_at")
    list_select_related = ("booking",)
    ordering = ("-id",)
    search_fields = ("booking__guest_email", "source_id__exact")
    readonly_fields = list_display
    fields = readonly_fields


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Without the payload, which holds the guest's personal data; Stripe's own dashboard shows it."""

    list_display = (
        "event",
        "type",
        "object_id",
        "state",
        "note",
        "created_at",
        "received_at",
        "applied_at",
    )
    list_filter = ("state", "type", "received_at")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("event_id__exact", "object_id__exact")
    search_help_text = _("An id of Stripe's")
    readonly_fields = (*list_display, "version")
    fields = readonly_fields
    event = column("event_id", _("event"))
    version = column("api_version", _("version of Stripe's API"))


@admin.register(ReconciliationBreak)
class ReconciliationBreakAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What the nightly comparison with Stripe could not mend; staff closes it with an explanation."""

    list_display = ("stripe_id", "kind", "booking_link", "ours", "theirs", "found_at", "closed_at")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("booking",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("stripe_id__exact",)
    search_help_text = _("An id of Stripe's")
    readonly_fields = (*list_display, "seen_at", "closed_by")
    fields = (*readonly_fields, "explanation")

    def has_change_permission(self, request: HttpRequest, obj: ReconciliationBreak | None = None) -> bool:
        is_open = obj is not None and obj.closed_at is None
        return is_open and request.user.has_perm("payments.close_reconciliationbreak")

    @admin.display(description=_("booking"), empty_value="–")
    def booking_link(self, difference: ReconciliationBreak) -> SafeString | None:
        return link_to(difference.booking) if difference.booking else None

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        if "explanation" in form.base_fields:
            form.base_fields["explanation"].required = True
        return form

    def save_model(self, request: HttpRequest, obj: ReconciliationBreak, form: Any, change: bool) -> None:
        breaks.close(
            break_id=obj.pk,
            by=request.user.get_username(),
            explanation=obj.explanation,
            now=timezone.now(),
        )


@admin.register(GuestEmail)
class GuestEmailAdmin(MoneyAdmin):
    list_display = ("id", "booking_link", "kind", "recipient", "created_at", "sent_at")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("booking",)
    search_fields = ("booking__guest_email",)
    readonly_fields = (*list_display, "payment_link")
    fields = readonly_fields

    @admin.display(description=_("to"))
    def recipient(self, email: GuestEmail) -> str:
        return email.booking.guest_email

    @admin.display(description=_("payment"), empty_value="–")
    def payment_link(self, email: GuestEmail) -> SafeString | None:
        return link_to(email.payment) if email.payment else None
