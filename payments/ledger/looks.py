"""The janitor's looks: each is written down before it is taken, and none waits for a row that is locked.

Whoever calls Stripe is left alone for as long as a call may take. Once the call is over the next look is
soon, whatever the call was and whatever came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Min, QuerySet

from bookings.models import Booking
from payments import look_times, policies
from payments.deferred_jobs import look_again
from payments.models import PaymentAttempt, Refund
from payments.policies import Channel, RefundState

_LOCKED_DELAY = timedelta(minutes=1)
_OF_ATTEMPT = "payment__booking_id"
_OF_REFUND = "attempt__payment__booking_id"


def take_attempt(*, attempt_id: int, now: datetime) -> int | None:
    """Put off the next look at an attempt. Returns the looks so far, ``None`` when it is not to be looked at.

    A row that is locked is somebody's who works on it, or will be free at the next look.
    """
    due = PaymentAttempt.objects.filter(state__in=list(policies.LIVE_STATES))
    return _take(due, attempt_id, _OF_ATTEMPT, now)


def take_refund(*, refund_id: int, now: datetime) -> int | None:
    """Put off the next look at a refund; returns like ``take_attempt``."""
    return _take(Refund.objects.all(), refund_id, _OF_REFUND, now)


@contextmanager
def attempt_in_use(*, attempt_id: int, now: datetime) -> Iterator[None]:
    """Make the next look at an attempt soon, should calls for it end without telling what became of it.

    Not at a payment page: one of which nothing is known yet is found again by its age.

    Args:
        now: when the caller began.
    """
    with _in_use(partial(_give_back, _charges(), attempt_id, _OF_ATTEMPT, now)):
        yield


@contextmanager
def refund_in_use(*, refund_id: int, now: datetime) -> Iterator[None]:
    """Do for a refund as ``attempt_in_use`` does."""
    with _in_use(partial(_give_back, _open_refunds(), refund_id, _OF_REFUND, now)):
        yield


def next_look(*, until: datetime) -> datetime | None:
    """Return when the next look at a charge or refund is; ``None`` when there is none until then."""
    nexts = [
        rows.filter(check_at__lte=until).aggregate(next=Min("check_at"))["next"]
        for rows in (_charges(), _open_refunds())
    ]
    return min((each for each in nexts if each is not None), default=None)


def _charges() -> QuerySet[PaymentAttempt]:
    return PaymentAttempt.objects.filter(
        state__in=list(policies.LIVE_STATES),
        channel=Channel.OFF_SESSION,
        protocol_version__lte=policies.PROTOCOL_VERSION,
    )


def _open_refunds() -> QuerySet[Refund]:
    return Refund.objects.filter(state__in=(RefundState.REQUESTED, RefundState.SUBMITTED))


@contextmanager
def _in_use(give_back: Callable[[], None]) -> Iterator[None]:
    try:
        yield
    except Exception:
        give_back()
        raise


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


def _give_back(
    rows: QuerySet[PaymentAttempt] | QuerySet[Refund], pk: int, booking: str, now: datetime
) -> None:
    """Leave a row alone that is locked: whoever works on it now comes after this call."""
    with transaction.atomic():
        kept = rows.filter(pk=pk)
        row = kept.select_for_update(of=("self",), skip_locked=True, no_key=True).first()
        if row is None or _is_locked(kept.values_list(booking, flat=True).get()):
            return
        row.check_at = look_times.look_after_call(check_at=row.check_at, checks=row.checks, began_at=now)
        row.save(update_fields=("check_at",))
        if row.check_at <= now + policies.LOOK_EVERY:
            look_again(at=row.check_at)


def _is_locked(booking_id: int) -> bool:
    free = Booking.objects.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return free.filter(pk=booking_id).first() is None
