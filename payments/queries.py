"""What was paid for a booking, how many rows wait; nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from bookings.models import Booking, BookingStatus
from payments.models import BookingAccount


def paid_for(booking: Booking) -> int:
    """Return what was paid for a booking and is not on its way back, nor lost to a bank."""
    account = BookingAccount.objects.filter(booking=booking).first()
    return max(account.paid_minor, 0) if account else 0


def can_change(booking: Booking) -> bool:
    return booking.status == BookingStatus.CONFIRMED and booking.cancel_requested_at is None


def can_cancel(booking: Booking) -> bool:
    is_alive = booking.status in (BookingStatus.PENDING, BookingStatus.CONFIRMED)
    return is_alive and booking.cancel_requested_at is None


def count_each(found: Sequence[QuerySet[Any]]) -> list[int]:
    """Return how many rows each of them has, asked in one statement."""
    asked = [rows.order_by().values("pk").query.sql_with_params() for rows in found]
    counts = ", ".join(f"(SELECT count(*) FROM ({sql}) AS counted)" for sql, _params in asked)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [param for _sql, params in asked for param in params])
        return list(cursor.fetchone())
