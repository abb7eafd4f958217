"""Every minute, and every 20 seconds while anything is in doubt: bring money to Stripe's truth.

Nothing else resolves an unknown outcome, and this never guesses one: it asks Stripe, further and further
apart, and calls for a person when Stripe has given no answer for a day. Each look is written down before it
is taken, and what goes wrong with one row ends that look alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from payments import driver, look_times, policies, refunds
from payments.deferred_jobs import look_again
from payments.exceptions import GatewayRefused, PaymentError
from payments.gateway import Gateway
from payments.ledger import looks
from payments.models import PaymentAttempt, Refund
from payments.policies import RefundState
from procrastinate_tasks import SoftTimeLimitExceeded

logger = logging.getLogger(__name__)

_BATCH = 200

# Of its schedule: what is due before then has a turn of its own.
_NEXT_TURN = timedelta(minutes=1)

# No other look would fare better: Stripe refuses the key, the time of the job or the database is gone.
_ENDS_THE_TURN = (GatewayRefused, SoftTimeLimitExceeded, OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class JanitorReport:
    """How many attempts and refunds were looked at, and how many of them have ended."""

    looked_at: int
    ended: int


class _Look(Enum):
    SKIPPED = auto()
    WAITS = auto()
    ENDED = auto()


def resolve_unfinished(*, gateway: Gateway, now: datetime) -> JanitorReport:
    """Look at every attempt and refund that is under way and that nobody is working on."""
    taken: Counter[_Look] = Counter()
    for pk in _waiting_attempts(now):
        take = partial(looks.take_attempt, attempt_id=pk, now=now)
        taken[_look(f"attempt {pk}", take, partial(_resolve_attempt, pk, gateway, now))] += 1
    for pk in _waiting_refunds(now):
        take = partial(looks.take_refund, refund_id=pk, now=now)
        taken[_look(f"refund {pk}", take, partial(_resolve_refund, pk, gateway, now))] += 1
    next_look = looks.next_look(until=now + _NEXT_TURN)
    if next_look is not None:
        look_again(at=look_times.next_turn(next_look=next_look, now=now))
    return JanitorReport(looked_at=taken[_Look.WAITS] + taken[_Look.ENDED], ended=taken[_Look.ENDED])


def _waiting_attempts(now: datetime) -> QuerySet[PaymentAttempt, int]:
    waiting = PaymentAttempt.objects.filter(
        state__in=list(policies.LIVE_STATES),
        check_at__lte=now,
        # What a newer release has begun is left to it.
        protocol_version__lte=policies.PROTOCOL_VERSION,
    )
    return waiting.order_by("check_at").values_list("pk", flat=True)[:_BATCH]


def _waiting_refunds(now: datetime) -> QuerySet[Refund, int]:
    waiting = Refund.objects.filter(
        state__in=(RefundState.REQUESTED, RefundState.SUBMITTED), check_at__lte=now
    )
    return waiting.order_by("check_at").values_list("pk", flat=True)[:_BATCH]


def _look(subject: str, take: Callable[[], int | None], resolve: Callable[[], bool]) -> _Look:
    """Take one look; a fault of any kind is logged and left for the next, so that nothing else waits."""
    checks = None
    try:
        checks = take()
        if checks is None:
            return _Look.SKIPPED
        return _Look.ENDED if resolve() else _Look.WAITS
    except _ENDS_THE_TURN:
        raise
    except PaymentError as fault:
        _report(subject, checks or 0, fault)
    except Exception as fault:  # Whatever it is: the rows behind this one are other guests' money.
        logger.exception("a look failed", extra={"subject": subject})
        _report(subject, checks or 0, fault)
    return _Look.WAITS


def _resolve_attempt(attempt_id: int, gateway: Gateway, now: datetime) -> bool:
    attempt = PaymentAttempt.objects.select_related("payment__booking__quote__home").get(pk=attempt_id)
    # A payment page whose time is over is closed; everything else is driven on.
    is_over = attempt.session_expires_at is not None and attempt.session_expires_at <= now
    step = driver.close if is_over else driver.drive
    return step(attempt=attempt, gateway=gateway, now=now).state not in policies.LIVE_STATES


def _resolve_refund(refund_id: int, gateway: Gateway, now: datetime) -> bool:
    refund = Refund.objects.select_related("attempt").get(pk=refund_id)
    state = refunds.send(refund=refund, gateway=gateway, now=now)
    return state in (RefundState.SUCCEEDED, RefundState.FAILED)


def _report(subject: str, checks: int, fault: Exception) -> None:
    level = logging.CRITICAL if policies.needs_a_person(checks) else logging.WARNING
    facts = {"subject": subject, "checks": checks, "fault": f"{type(fault).__name__}: {fault}"}
    logger.log(level, "money unresolved", extra=facts)
