"""The admin pages of money. Nothing here can be changed: the ledger is written by the site alone."""

from __future__ import annotations

from typing import Any, Protocol

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from bookings.admin import BookingAdmin
from bookings.models import Booking
from bookings.money import format_pesos
from bookings.read_only import NOTHING, OfficeList, ReadOnly, column, instant, link_to
from bookings.references import read_reference
from payments import unfinished
from payments.debts import find_debts
from payments.doubts import IN_DOUBT_PARAMETER, find_in_doubt
from payments.invariants.catalogue import INVARIANTS
from payments.ledger import mismatches
from payments.models import (
    Debt,
    Dispute,
    GuestEmail,
    InvariantCheck,
    LedgerTransfer,
    Payment,
    PaymentAttempt,
    ReconciliationBreak,
    Refund,
    StripeEvent,
)
from payments.panels import charge_again, explanation
from payments.panels.booking_file import read_file, read_jobs
from payments.panels.correct_address import CorrectAddress
from payments.panels.date_changes import DateChangeAdmin as _DateChangeAdmin  # noqa: F401 - registers itself
from payments.panels.debts import OverdueFilter, UncollectedToo, tell_next
from payments.panels.email_preview import PreviewEmails
from payments.panels.event_admin import StripeEventAdmin
from payments.panels.guest_data import GuestData
from payments.panels.letting_go import GiveUp, WaiveDebt
from payments.panels.money_today import BalancesOfDayFilter, FailedChargeFilter
from payments.panels.pay_again import PayAgain
from payments.panels.try_again import TryAgain
from procrastinate_tasks.actions.permissions import VIEW_JOBS

admin.site.register(StripeEvent, StripeEventAdmin)


class _HasAmount(Protocol):
    amount_minor: int


class AmountInPesos:
    """Mix into the pages of rows that have an amount."""

    @admin.display(description=_("amount"), ordering="amount_minor")
    def amount(self, row: _HasAmount) -> str:
        return format_pesos(row.amount_minor)


class MoneyAdmin(AmountInPesos, OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What the lists of money have in common: pesos, and a booking to go to and to search by."""

    search_help_text = _("Folio or public id of the booking, e-mail, or a Stripe id")
    ordering = ("-id",)
    # How a row leads to its booking.
    to_booking = "booking"
    made = instant("created_at", _("created"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        named = read_reference(search_term)
        if named is not None:
            return queryset.filter(**{f"{self.to_booking}__public_id__range": named}), False
        if "@" in search_term:
            of_guest = {f"{self.to_booking}__guest_email__iexact": search_term.strip()}
            return queryset.filter(**of_guest), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("booking"))
    def booking_link(self, row: Any) -> SafeString:
        return link_to(row.booking)

    @admin.display(description=_("status"), ordering="status")
    def shown_status(self, row: Any) -> SafeString:
        return _badge(row.status, row.get_status_display())

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, row: Any) -> SafeString:
        return _badge(row.state, row.get_state_display())


@admin.register(Booking)
class BookingWithMoneyAdmin(CorrectAddress, WaiveDebt, GuestData, TryAgain, BookingAdmin):
    """A booking with its money, its jobs and its history on one page."""

    work = unfinished.CANCELLATIONS
    change_form_template = "payments/admin/booking.html"

    def get_urls(self) -> list[URLPattern]:
        explain = path(
            "<int:booking_id>/explain/",
            self.admin_site.admin_view(self.show_explanation),
            name="bookings_booking_explain",
        )
        return [explain, *super().get_urls()]

    def show_explanation(self, request: HttpRequest, booking_id: int) -> HttpResponse:
        """Answer whether anything was charged twice, and why this amount."""
        if not (self.has_view_permission(request) and request.user.has_perm("payments.view_payment")):
            raise PermissionDenied
        booking = get_object_or_404(Booking.objects.select_related("quote__home"), pk=booking_id)
        shows_jobs = request.user.has_perm(VIEW_JOBS)
        context = {
            **self.admin_site.each_context(request),
            "title": _("The money, explained"),
            "told": explanation.explain(booking, now=timezone.now(), with_jobs=shows_jobs),
        }
        return render(request, "payments/admin/explanation.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> Any:
        booking, shows_jobs = context.get("original"), request.user.has_perm(VIEW_JOBS)
        if booking is not None:
            file = read_file(booking, now=timezone.now())
            context.update(file=file, shows_jobs=shows_jobs, jobs=read_jobs(file) if shows_jobs else ())
        return super().render_change_form(request, context, *args, **options)


class AttemptInline(AmountInPesos, ReadOnly, admin.StackedInline):  # type: ignore[type-arg]
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
        "next_look",
        "made",
        "changed",
    )
    fields = readonly_fields
    intent = column("stripe_intent_id", _("PaymentIntent"))
    session = column("stripe_session_id", _("Checkout Session"))
    next_look = instant("check_at", _("next look"))
    made = instant("created_at", _("created"))
    changed = instant("updated_at", _("last change"))


class DoubtFilter(admin.SimpleListFilter):
    """Those that the dashboard counts."""

    title = _("outcome")
    parameter_name = IN_DOUBT_PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("in doubt"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=find_in_doubt(now=timezone.now()).values("pk"))


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ("id", "booking_link", "kind", "amount", "shown_status", "made")
    list_filter = ("status", "kind", BalancesOfDayFilter, FailedChargeFilter, DoubtFilter, "created_at")
    list_select_related = ("booking",)
    search_fields = ("attempts__stripe_intent_id__exact", "attempts__stripe_session_id__exact")
    readonly_fields = ("booking_link", "kind", "seq", "amount", "shown_status", "reason", "made")
    fields = readonly_fields
    inlines = (AttemptInline,)


@admin.register(Debt)
class DebtAdmin(charge_again.ChargeAgain, UncollectedToo, MoneyAdmin):
    """Who owes what, what the bank said, and what comes next. Each is a payment, with a page of its own."""

    list_display = ("owed_by", "booking_link", "kind", "amount", "owed", "bank_said", "comes_next")
    list_filter = (OverdueFilter, "kind", "status")
    list_select_related = ("booking", "dunning")
    owed = instant("owed_since", _("owed since"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Debt]:
        return find_debts(now=timezone.now()).order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("booking__balance_due_at", "pk")

    @admin.display(description=_("guest"))
    def owed_by(self, debt: Debt) -> str:
        return debt.booking.guest_name

    @admin.display(description=_("the bank said"))
    def bank_said(self, debt: Debt) -> str:
        return debt.reason or NOTHING

    @admin.display(description=_("what comes next"))
    def comes_next(self, debt: Any) -> str:
        return tell_next(debt, is_disputed=debt.is_disputed)


@admin.register(Refund)
class RefundAdmin(GiveUp, PayAgain, TryAgain, MoneyAdmin):
    change_form_template = "payments/admin/refund.html"
    work = unfinished.REFUNDS
    list_display = ("id", "booking_link", "payment_link", "amount", "shown_state", "made")
    list_filter = ("state", "created_at")
    list_select_related = ("attempt__payment__booking",)
    to_booking = "attempt__payment__booking"
    search_fields = ("stripe_refund_id__exact", "attempt__stripe_intent_id__exact")
    readonly_fields = (
        "booking_link",
        "payment_link",
        "amount",
        "reason",
        "shown_state",
        "failure",
        "at_stripe",
        "instead_of",
        "checks",
        "next_look",
        "made",
        "changed",
    )
    fields = readonly_fields
    at_stripe = column("stripe_refund_id", _("refund at Stripe"))
    next_look = instant("check_at", _("next look"))
    changed = instant("updated_at", _("last change"))

    @admin.display(description=_("booking"))
    def booking_link(self, row: Any) -> SafeString:
        return link_to(row.attempt.payment.booking)

    @admin.display(description=_("payment"))
    def payment_link(self, refund: Refund) -> SafeString:
        return link_to(refund.attempt.payment)

    @admin.display(description=_("instead of the refund"))
    def instead_of(self, refund: Refund) -> SafeString | str:
        return link_to(refund.replaces) if refund.replaces else NOTHING


@admin.register(Dispute)
class DisputeAdmin(MoneyAdmin):
    """What cardholders object to. It is answered in Stripe's dashboard; here is until when."""

    list_display = ("id", "booking_link", "payment_link", "amount", "shown_status", "due", "opened")
    list_filter = ("status", "opened_at")
    list_select_related = ("attempt__payment__booking",)
    to_booking = "attempt__payment__booking"
    search_fields = ("stripe_dispute_id__exact", "attempt__stripe_intent_id__exact")
    readonly_fields = (
        "booking_link",
        "payment_link",
        "amount",
        "withheld",
        "reason",
        "shown_status",
        "due",
        "is_refundable",
        "at_stripe",
        "opened",
        "changed",
    )
    fields = readonly_fields
    at_stripe = column("stripe_dispute_id", _("dispute at Stripe"))
    due = instant("due_by", _("evidence due by"))
    opened = instant("opened_at", _("opened"))
    changed = instant("updated_at", _("last change"))

    @admin.display(description=_("booking"))
    def booking_link(self, row: Any) -> SafeString:
        return link_to(row.attempt.payment.booking)

    @admin.display(description=_("payment"))
    def payment_link(self, dispute: Dispute) -> SafeString:
        return link_to(dispute.attempt.payment)

    @admin.display(description=_("taken by the bank"))
    def withheld(self, dispute: Dispute) -> str:
        return format_pesos(dispute.withheld_minor)


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
        "posted",
    )
    list_filter = ("debit", "credit", "posted_at")
    list_select_related = ("booking",)
    search_fields = ("source_id__exact",)
    readonly_fields = list_display
    fields = readonly_fields
    posted = instant("posted_at", _("posted"))


@admin.register(ReconciliationBreak)
class ReconciliationBreakAdmin(OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What the nightly comparison with Stripe could not mend; staff closes it with an explanation."""

    list_display = ("stripe_id", "kind", "booking_link", "ours", "theirs", "found", "closed")
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("booking",)
    search_fields = ("stripe_id__exact",)
    search_help_text = _("A Stripe id")
    readonly_fields = (*list_display, "seen", "closed_by")
    fields = (*readonly_fields, "explanation")
    found = instant("found_at", _("found"))
    seen = instant("seen_at", _("seen last"))
    closed = instant("closed_at", _("closed"))

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
        mismatches.close(
            break_id=obj.pk,
            by=request.user.get_username(),
            explanation=obj.explanation,
            now=timezone.now(),
        )


@admin.register(InvariantCheck)
class InvariantCheckAdmin(OfficeList, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What must always hold, and since when it does not; asked every five minutes."""

    list_display = ("name", "meaning", "count", "which", "broken", "checked", "seconds")
    list_filter = (("broken_since", admin.EmptyFieldListFilter),)
    readonly_fields = (*list_display, "problem")
    fields = readonly_fields
    broken = instant("broken_since", _("broken since"))
    checked = instant("checked_at", _("checked"))

    @admin.display(description=_("broken when"))
    def meaning(self, check: InvariantCheck) -> str:
        return next((str(each.broken) for each in INVARIANTS if each.name == check.name), NOTHING)

    @admin.display(description=_("which"))
    def which(self, check: InvariantCheck) -> str:
        return ", ".join(check.rows) or NOTHING


@admin.register(GuestEmail)
class GuestEmailAdmin(PreviewEmails, TryAgain, MoneyAdmin):
    work = unfinished.EMAILS
    list_display = ("id", "booking_link", "kind", "recipient", "made", "sent", "dropped", "preview")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("booking",)
    search_fields = ("booking__guest_email__iexact",)
    readonly_fields = (*list_display, "payment_link")
    fields = readonly_fields
    sent = instant("sent_at", _("sent"))
    dropped = instant("dropped_at", _("dropped: not needed any more"))

    @admin.display(description=_("to"))
    def recipient(self, email: GuestEmail) -> str:
        return email.booking.guest_email

    @admin.display(description=_("payment"))
    def payment_link(self, email: GuestEmail) -> SafeString | str:
        return link_to(email.payment) if email.payment else NOTHING


def _badge(state: str, words: str) -> SafeString:
    return format_html('<span class="of-state of-state-{}">{}</span>', state, words)
