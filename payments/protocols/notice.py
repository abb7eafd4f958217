"""Every hour: tell guests three days ahead that their card will be charged.

Found by the rows: a balance whose day moves is announced again, and a notice whose day is not true any more
is dropped before it is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from bookings.models import BookingStatus
from payments.deferred_jobs import request_email
from payments.models import GuestEmail, Payment
from payments.policies import PaymentKind, PaymentStatus

NOTICE = timedelta(days=3)
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
