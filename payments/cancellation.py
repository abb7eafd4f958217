"""A booking is cancelled: no new charge from that moment on, the settlement follows in a worker."""

from __future__ import annotations

from datetime import datetime

from bookings import services as bookings
from bookings.models import Booking
from payments import due_charges, task_names
from payments.ledger import rows
from procrastinate_tasks.deferring import defer


def request_cancellation(*, booking: Booking, base_url: str, now: datetime) -> bool:
    """Cancel a booking: its charge is taken back and its settlement deferred, in one transaction.

    Returns:
        Whether this was news; asking twice settles once.
    """
    with rows.locked_booking(booking.pk) as locked:
        is_new = bookings.request_cancellation(booking=locked, now=now)
        if is_new:
            due_charges.unschedule(booking=locked)
            defer_settlement(booking_id=locked.pk, base_url=base_url)
    return is_new


def defer_settlement(*, booking_id: int, base_url: str) -> None:
    """Have a cancelled booking settled as soon as a worker is free."""
    defer(
        task_names.SETTLE_CANCELLATION,
        {"booking_id": booking_id, "base_url": base_url},
        queueing_lock=f"settle:{booking_id}",
    )
