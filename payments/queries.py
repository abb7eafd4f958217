"""What was paid for a booking, what moving it would mean, how many rows wait; nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from bookings import policies as house
from bookings import queries as calendar
from bookings import services as bookings
from bookings.availability import Stay, is_free
from bookings.exceptions import NotConfirmed, SleptNightsMoved, StayUnavailable
from bookings.models import Booking, BookingStatus
from bookings.rules import check_nights
from payments.models import BookingAccount
from payments.policies import PaymentKind, PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """A booking on other nights, beside what it is now.

    Attributes:
        needs_payment: the change cannot be made on the page, because money has to move first.
    """

    stay: Stay
    price: house.Price
    old_total_minor: int
    paid_minor: int
    balance_due_at: datetime
    needs_payment: bool

    @property
    def difference_minor(self) -> int:
        return self.price.total_minor - self.old_total_minor

    @property
    def refund_minor(self) -> int:
        return max(self.paid_minor - self.price.total_minor, 0)

    @property
    def balance_minor(self) -> int:
        return max(self.price.total_minor - self.paid_minor, 0)


def paid_for(booking: Booking) -> int:
    """Return what was paid for a booking and is not on its way back, nor lost to a bank."""
    account = BookingAccount.objects.filter(booking=booking).first()
    return max(account.paid_minor, 0) if account else 0


def preview_change(*, booking: Booking, check_in: date, check_out: date, now: datetime) -> ChangePreview:
    """Price other nights for a booking, if they can be had.

    Raises:
        ChangeRefused: the booking is not confirmed, or nights already slept would move.
        StayRefused: the nights break a rule or belong to somebody else.
    """
    if not can_change(booking):
        raise NotConfirmed(status=booking.status)
    stay = Stay(check_in=check_in, check_out=check_out, guests=booking.quote.guests)
    _check_nights(booking, stay, now)
    price = bookings.price_change(booking=booking, check_in=check_in, check_out=check_out)
    instants = house.stay_instants(check_in=check_in, check_out=check_out, timezone=booking.home.tz)
    return ChangePreview(
        stay=stay,
        price=price,
        old_total_minor=booking.quote.total_minor,
        paid_minor=paid_for(booking),
        balance_due_at=instants.balance_due_at,
        needs_payment=_needs_payment(booking, price.total_minor),
    )


def can_change(booking: Booking) -> bool:
    return booking.status == BookingStatus.CONFIRMED and booking.cancel_requested_at is None


def can_cancel(booking: Booking) -> bool:
    is_alive = booking.status in (BookingStatus.PENDING, BookingStatus.CONFIRMED)
    return is_alive and booking.cancel_requested_at is None


def _check_nights(booking: Booking, stay: Stay, now: datetime) -> None:
    today = now.astimezone(booking.home.tz).date()
    old_check_in = booking.quote.check_in
    if house.moves_slept_nights(
        old_check_in=old_check_in, check_in=stay.check_in, check_out=stay.check_out, today=today
    ):
        raise SleptNightsMoved
    check_nights(
        home=booking.home,
        check_in=stay.check_in,
        check_out=stay.check_out,
        today=min(today, old_check_in),
    )
    closed = calendar.closed_nights(
        home=booking.home, first=stay.check_in, last=stay.check_out, now=now, apart_from=booking
    )
    if not is_free(check_in=stay.check_in, check_out=stay.check_out, closed=closed):
        raise StayUnavailable


def _needs_payment(booking: Booking, new_total_minor: int) -> bool:
    old_total_minor = booking.quote.total_minor
    owes_balance = booking.payments.filter(kind=PaymentKind.BALANCE).exclude(
        status__in=(PaymentStatus.PAID, PaymentStatus.VOID)
    )
    return new_total_minor > old_total_minor or (
        new_total_minor != old_total_minor and not owes_balance.exists()
    )


def count_each(found: Sequence[QuerySet[Any]]) -> list[int]:
    """Return how many rows each of them has, asked in one statement."""
    asked = [rows.order_by().values("pk").query.sql_with_params() for rows in found]
    counts = ", ".join(f"(SELECT count(*) FROM ({sql}) AS counted)" for sql, _params in asked)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [param for _sql, params in asked for param in params])
        return list(cursor.fetchone())
