"""Every minute: bring money that was left in the middle to Stripe's truth.

Nothing else resolves an unknown outcome, and this never guesses one: it asks Stripe, further and further
apart, and calls for a person when Stripe has given no answer for a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import QuerySet

from payments import attempts, policies, refunds
from payments.exceptions import GatewayRefused, PaymentError
from payments.gateway import Gateway
from payments.ledger import outcomes
from payments.ledger import refunds as ledger_refunds
from payments.models import PaymentAttempt, Refund
from payments.policies import RefundState

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JanitorReport:
    """How many attempts and refunds were looked at, and how many of them have ended."""

    looked_at: int
    ended: int


def resolve_unfinished(*, gateway: Gateway, now: datetime) -> JanitorReport:
    """Look at every attempt and refund that is under way and that nobody is working on."""
    ended = [_resolve_attempt(attempt, gateway, now) for attempt in _waiting_attempts(now)]
    ended += [_resolve_refund(refund, gateway, now) for refund in _waiting_refunds(now)]
    return JanitorReport(looked_at=len(ended), ended=sum(ended))


def _waiting_attempts(now: datetime) -> QuerySet[PaymentAttempt]:
    waiting = PaymentAttempt.objects.filter(
        state__in=list(policies.LIVE_STATES),
        check_at__lte=now,
        # What a newer release has begun is left to it.
        protocol_version__lte=policies.PROTOCOL_VERSION,
    )
    return waiting.select_related("payment__booking__quote__home").order_by("check_at")[:_BATCH]


def _waiting_refunds(now: datetime) -> QuerySet[Refund]:
    waiting = Refund.objects.filter(
        state__in=(RefundState.REQUESTED, RefundState.SUBMITTED), check_at__lte=now
    )
    return waiting.select_related("attempt").order_by("check_at")[:_BATCH]


def _resolve_attempt(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> bool:
    checks = outcomes.note_look(attempt_id=attempt.pk, now=now)
    # A payment page whose time is over is closed; everything else is driven on.
    is_over = attempt.session_expires_at is not None and attempt.session_expires_at <= now
    step = attempts.close if is_over else attempts.drive
    driven = _look(lambda: step(attempt=attempt, gateway=gateway, now=now), f"attempt {attempt.pk}", checks)
    return driven is not None and driven.state not in policies.LIVE_STATES


def _resolve_refund(refund: Refund, gateway: Gateway, now: datetime) -> bool:
    checks = ledger_refunds.note_refund_look(refund_id=refund.pk, now=now)
    state = _look(
        lambda: refunds.send(refund=refund, gateway=gateway, now=now), f"refund {refund.pk}", checks
    )
    return state in (RefundState.SUCCEEDED, RefundState.FAILED)


def _look(step: Callable[[], _T], subject: str, checks: int) -> _T | None:
    """Take one step; a fault is logged and left for the next look, so that it keeps nothing else waiting."""
    try:
        return step()
    except GatewayRefused:
        raise  # No other look would fare better.
    except PaymentError as fault:
        level = logging.CRITICAL if policies.needs_a_person(checks) else logging.WARNING
        logger.log(
            level, "money unresolved", extra={"subject": subject, "checks": checks, "fault": str(fault)}
        )
        return None
