"""The list of bookings as the office uses it: by arrival, by money owed, by what needs a person; as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookings.models import Booking, BookingStatus
from payments.debts import find_debts
from payments.ledger.debts import find_uncollected
from payments.models import BookingAccount, Dispute, Payment, ReconciliationBreak, Refund
from payments.policies import DISPUTES_TO_ANSWER, PaymentStatus, RefundState

_MOST_EXPORTED = 50_000
_LATE = timedelta(minutes=30)


class ArrivalFilter(admin.SimpleListFilter):
    """Who comes, is here, and leaves."""

    title = gettext_lazy("arrival")
    parameter_name = "arrival"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("today", gettext_lazy("arrive today")),
            ("week", gettext_lazy("arrive within 7 days")),
            ("here", gettext_lazy("are here now")),
            ("leaving", gettext_lazy("leave today")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        if self.value() is None:
            return queryset
        wanted = _arrival(str(self.value()), timezone.localtime())
        return queryset.filter(wanted, status=BookingStatus.CONFIRMED).order_by("arrival_at")


def _arrival(value: str, now: datetime) -> Q:
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    next_day, next_week = day + timedelta(days=1), day + timedelta(days=7)
    return {
        "today": Q(arrival_at__gte=day, arrival_at__lt=next_day),
        "week": Q(arrival_at__gte=now, arrival_at__lt=next_week),
        "here": Q(arrival_at__lte=now, departure_at__gt=now),
        "leaving": Q(departure_at__gte=day, departure_at__lt=next_day),
    }.get(value, Q())


class MoneyFilter(admin.SimpleListFilter):
    """Who owes money that is due, and whose payment waits for them."""

    title = gettext_lazy("money owed")
    parameter_name = "money"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("due", gettext_lazy("owe what is due")),
            ("refused", gettext_lazy("the bank said no")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        if self.value() == "due":
            due = Q(pk__in=find_debts(now=timezone.now()).values("booking"))
            return queryset.filter(due | Q(pk__in=find_uncollected().values("booking")))
        if self.value() == "refused":
            refused = (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)
            payments = Payment.objects.filter(booking=OuterRef("pk"), status__in=refused)
            return queryset.filter(Exists(payments))
        return queryset


class PersonFilter(admin.SimpleListFilter):
    """What nobody but a person brings further."""

    title = gettext_lazy("needs a person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("needs a person"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Booking]) -> QuerySet[Booking]:
        if self.value() != "yes":
            return queryset
        of = {"attempt__payment__booking": OuterRef("pk")}
        return queryset.filter(
            Exists(ReconciliationBreak.objects.filter(booking=OuterRef("pk"), closed_at=None))
            | Exists(Refund.objects.filter(**of, state=RefundState.FAILED))
            | Exists(Dispute.objects.filter(**of, status__in=DISPUTES_TO_ANSWER))
            | Q(
                cancel_requested_at__lt=timezone.now() - _LATE,
                status__in=(BookingStatus.PENDING, BookingStatus.CONFIRMED),
            )
        )


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


class BookingOffice:
    """Mix into the list of bookings: its filters, and what is chosen as a file for a spreadsheet."""

    actions: ClassVar[Any] = ("export", "try_again")
    list_filter: ClassVar[Any] = (ArrivalFilter, MoneyFilter, PersonFilter, "status", "quote__home")

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Booking]) -> StreamingHttpResponse:
        writer = csv.writer(_Echo())
        lines = (writer.writerow(row) for row in _rows(queryset))
        # Excel takes UTF-8 for what it is only when the file begins with its mark.
        response = StreamingHttpResponse(_marked(lines), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="reservas.csv"'
        return response


def _marked(lines: Iterator[str]) -> Iterator[str]:
    yield "\ufeff"
    yield from lines


def _rows(bookings: QuerySet[Booking]) -> Iterator[list[object]]:
    yield [
        _("Folio"),
        _("State"),
        _("Property"),
        _("Check-in"),
        _("Check-out"),
        _("Nights"),
        _("Guests"),
        _("Guest"),
        _("E-mail"),
        _("Telephone"),
        _("Total"),
        _("Paid"),
        _("Owed"),
    ]
    chosen = bookings.select_related("quote__home", "account")[:_MOST_EXPORTED]
    for booking in chosen.iterator(chunk_size=500):
        yield [_plain(value) for value in _row(booking)]


def _row(booking: Booking) -> list[object]:
    quote = booking.quote
    account: BookingAccount | None = getattr(booking, "account", None)
    paid, due = (account.paid_minor, account.due_minor) if account else (0, 0)
    return [
        booking.folio,
        booking.get_status_display(),
        booking.home.name,
        quote.check_in.isoformat(),
        quote.check_out.isoformat(),
        quote.night_count,
        quote.guests,
        booking.guest_name,
        booking.guest_email,
        booking.guest_phone,
        _pesos(quote.total_minor),
        _pesos(paid),
        _pesos(due),
    ]


def _pesos(minor: int) -> str:
    return f"{minor / 100:.2f}"


def _plain(value: object) -> object:
    """Keep a spreadsheet from taking what a guest typed for a formula; a sum below zero is none."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    return value if _is_number(value) else f"'{value}"


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
