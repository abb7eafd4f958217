"""The janitor's looks: each is written down before it is taken, and none waits for a row that is locked."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from bookings.models import Booking
from payments import policies
from payments.models import PaymentAttempt, Refund

_LOCKED_DELAY = timedelta(minutes=1)


def take_attempt(*, attempt_id: int, now: datetime) -> int | None:
    """Put off the next look at an attempt. Returns the looks so far, ``None`` when it is not to be looked at.

    A row that is locked is somebody's who works on it, or will be free at the next look.
    """
    due = PaymentAttempt.objects.filter(state__in=list(policies.LIVE_STATES))
    return _take(due, attempt_id, "payment__booking_id", now)


def take_refund(*, refund_id: int, now: datetime) -> int | None:
    """Put off the next look at a refund; returns like ``take_attempt``."""
    return _take(Refund.objects.all(), refund_id, "attempt__payment__booking_id", now)


def _take(
    rows: QuerySet[PaymentAttempt] | QuerySet[Refund], pk: int, booking: str, now: datetime
) -> int | None:
    with transaction.atomic():
        due = rows.filter(pk=pk, check_at__lte=now)
        row = due.select_for_update(of=("self",), skip_locked=True, no_key=True).first()
        if row is None:
            return None
        if _is_locked(due.values_list(booking, flat=True).get()):
            row.check_at = now + _LOCKED_DELAY
            row.save(update_fields=("check_at",))
            return None
        row.check_at = now + policies.check_delay(row.checks)
        row.checks += 1
        row.save(update_fields=("check_at", "checks"))
        return row.checks


def _is_locked(booking_id: int) -> bool:
    free = Booking.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return free.filter(pk=booking_id).first() is None
