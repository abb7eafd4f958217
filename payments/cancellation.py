"""A booking is cancelled: no new charge from that moment on, the settlement follows in a worker."""

from __future__ import annotations

from datetime import datetime

from bookings import services as bookings
from bookings.models import Booking
from payments import due_charges
from payments.ledger import rows
from payments.unfinished import defer_settlement


def request_cancellation(*, booking: Booking, base_url: str, now: datetime) -> bool:
    """Cancel a booking: its charge is taken back and its settlement deferred, in one transaction.

    Returns:
        Whether this was news. Asking twice settles once, and has the settlement tried again if it failed.
    """
    with rows.locked_booking(booking.pk) as locked:
        is_new = bookings.request_cancellation(booking=locked, now=now)
        if is_new:
            due_charges.unschedule(booking=locked)
        if locked.cancel_requested_at is not None and locked.cancelled_at is None:
            defer_settlement(booking_id=locked.pk, base_url=base_url)
    return is_new
