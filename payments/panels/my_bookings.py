"""What a guest reads of all their bookings: each in a sentence, and what is to be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils import timezone
from django.utils.translation import gettext as _

from bookings.models import Booking, BookingStatus
from bookings.money import format_pesos
from bookings.templatetags.lodging import clock, day
from payments.models import Payment
from payments.policies import PaymentKind, PaymentStatus

_REFUSED = (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)


class Shelf(StrEnum):
    """Where a booking stands among the others."""

    AHEAD = "ahead"
    OVER = "over"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class MyBooking:
    """A booking in the list of its guest."""

    booking: Booking
    shelf: Shelf
    words: str
    needs_guest: bool


def describe_all(bookings: Iterable[Booking], *, now: datetime) -> list[MyBooking]:
    """Describe bookings by the clocks of their homes."""
    return [_describe(booking, now) for booking in bookings]


def _describe(booking: Booking, now: datetime) -> MyBooking:
    refused = next((each for each in booking.payments.all() if each.status in _REFUSED), None)
    is_held = booking.status == BookingStatus.PENDING and (
        booking.checkout_open or booking.hold_expires_at > now
    )
    with timezone.override(booking.home.tz):
        words = _words(booking, refused, is_held=is_held)
    return MyBooking(
        booking=booking,
        shelf=_shelf(booking, now, is_held=is_held),
        words=words,
        needs_guest=is_held or refused is not None,
    )


def _shelf(booking: Booking, now: datetime, *, is_held: bool) -> Shelf:
    if booking.status in (BookingStatus.CONFIRMED, BookingStatus.COMPLETED):
        return Shelf.AHEAD if booking.departure_at > now else Shelf.OVER
    return Shelf.AHEAD if is_held else Shelf.ENDED


def _words(booking: Booking, refused: Payment | None, *, is_held: bool) -> str:
    if refused is not None:
        return _("A payment of %(amount)s needs you") % {"amount": format_pesos(refused.amount_minor)}
    if is_held:
        return _("Held for you until %(time)s: the deposit is to be paid") % {
            "time": clock(booking.hold_expires_at)
        }
    if booking.cancelled_at is not None:
        return _("Cancelled on %(day)s") % {"day": day(booking.cancelled_at)}
    if booking.cancel_requested_at is not None:
        return _("We are cancelling it")
    if booking.status in (BookingStatus.PENDING, BookingStatus.EXPIRED):
        return _("The time to pay ran out; nothing was charged")
    return _words_of_balance(booking)


def _words_of_balance(booking: Booking) -> str:
    balance = next((each for each in booking.payments.all() if _is_owed(each)), None)
    if balance is None:
        return _("Confirmed and paid")
    return _("Confirmed. On %(day)s we charge the balance of %(amount)s") % {
        "day": day(booking.balance_due_at),
        "amount": format_pesos(balance.amount_minor),
    }


def _is_owed(payment: Payment) -> bool:
    is_over = payment.status in (PaymentStatus.PAID, PaymentStatus.VOID)
    return payment.kind == PaymentKind.BALANCE and not is_over
