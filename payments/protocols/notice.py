"""Every hour: tell guests three days ahead that their card will be charged, and two ahead what awaits them.

Found by the rows: what moves to another day is announced again, and a notice whose day is not true any more
is dropped before it is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from bookings.models import Booking, BookingStatus
from payments.deferred_jobs import request_email
from payments.models import GuestEmail, Payment
from payments.policies import PaymentKind, PaymentStatus

NOTICE = timedelta(days=3)
ARRIVAL_NOTICE = timedelta(days=2)
_CHUNK = 2_000


def announce_balances(*, base_url: str, now: datetime) -> int:
    """Have a notice sent for every balance that falls due soon. Returns how many are new.

    Who booked so late that the confirmation was this notice gets none.
    """
    soon = Payment.objects.filter(
        kind=PaymentKind.BALANCE,
        status=PaymentStatus.PENDING,
        booking__status=BookingStatus.CONFIRMED,
        booking__cancel_requested_at__isnull=True,
        booking__balance_due_at__gt=now,
        booking__balance_due_at__lte=now + NOTICE,
    ).select_related("booking")
    return sum(_announce(payment, base_url, now) for payment in soon.iterator(chunk_size=_CHUNK))


def _announce(payment: Payment, base_url: str, now: datetime) -> bool:
    booking = payment.booking
    confirmed_at = booking.confirmed_at
    if confirmed_at is None or confirmed_at > booking.balance_due_at - NOTICE:
        return False
    with transaction.atomic():
        return request_email(
            kind=GuestEmail.Kind.BALANCE_SOON,
            booking=booking,
            payment=payment,
            base_url=base_url,
            now=now,
            version=booking.balance_due_at.toordinal(),
        )


def announce_arrivals(*, base_url: str, now: datetime) -> int:
    """Have every guest who arrives soon told so; who books later than that is told at once."""
    soon = Booking.objects.filter(
        status=BookingStatus.CONFIRMED,
        cancel_requested_at__isnull=True,
        arrival_at__gt=now,
        arrival_at__lte=now + ARRIVAL_NOTICE,
    ).select_related("quote__home")
    return sum(_announce_arrival(booking, base_url, now) for booking in soon.iterator(chunk_size=_CHUNK))


def _announce_arrival(booking: Booking, base_url: str, now: datetime) -> bool:
    with transaction.atomic():
        return request_email(
            kind=GuestEmail.Kind.ARRIVAL,
            booking=booking,
            base_url=base_url,
            now=now,
            version=booking.arrival_at.toordinal(),
        )
