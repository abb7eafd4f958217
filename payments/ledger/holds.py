"""How an unpaid hold ends: by its own hour, never because an attempt to pay it has ended."""

from __future__ import annotations

from datetime import datetime

from bookings import services as bookings
from bookings.models import Booking, BookingStatus
from payments import billing
from payments.deferred_jobs import end_hold
from payments.ledger import locking
from payments.models import Payment
from payments.policies import PaymentKind, PaymentStatus

_OUT_OF_TIME = "its time ran out and no page was open"


def end_attempt(*, payment: Payment, reason: str, proof: str, now: datetime) -> None:
    """Leave a deposit whose attempt has ended to the next one, or to the end of its hold."""
    booking = payment.booking
    if booking.cancel_requested_at is not None:
        return  # The settlement ends the booking.
    if booking.hold_expires_at <= now:
        _give_up(booking, payment, proof, now)
        return
    locking.set_status(payment, PaymentStatus.PENDING, reason)
    bookings.return_to_hold(booking=booking)
    end_hold(booking_id=booking.pk, at=booking.hold_expires_at)


def end_unpaid(*, booking_id: int, now: datetime) -> bool:
    """End a hold whose hour is over and which nobody can pay. Returns whether it has ended."""
    with locking.locked_booking(booking_id) as booking:
        payment = booking.payments.filter(kind=PaymentKind.DEPOSIT, status=PaymentStatus.PENDING).first()
        if payment is None or booking.checkout_open or booking.cancel_requested_at is not None:
            return False
        if booking.status == BookingStatus.PENDING and now < booking.hold_expires_at:
            end_hold(booking_id=booking.pk, at=booking.hold_expires_at)
            return False
        if booking.status not in (BookingStatus.PENDING, BookingStatus.EXPIRED):
            return False
        _give_up(booking, payment, _OUT_OF_TIME, now)
        return True


def _give_up(booking: Booking, payment: Payment, proof: str, now: datetime) -> None:
    locking.void_payment(payment=payment)
    billing.credit_quote(booking=booking, quote=booking.quote, now=now)
    if booking.status == BookingStatus.PENDING:  # Else the next guest who asked has ended it.
        bookings.expire_hold(booking=booking, proof=proof, now=now)
