"""Every night: what Stripe took and paid back beside what we have of it, both ways.

Where our own rows lag behind, they are brought up to Stripe's truth by the functions that the webhooks use.
What is left after that no program can explain: it becomes a row that a person has to close.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet

from bookings.money import write_sum
from payments import disputes, driver, refunds, unexplained
from payments.exceptions import (
    ComparisonUnfinished,
    GatewayRefused,
    NewerRelease,
    ObjectMissing,
    OutcomeUnknown,
    PaymentError,
    TransientFault,
)
from payments.gateway import DisputeAnswer, Gateway, Intent, RefundAnswer
from payments.ledger import mismatches
from payments.ledger.mismatches import Mismatch
from payments.ledger.refunds import state_of
from payments.models import Dispute, PaymentAttempt, Refund
from payments.policies import LIVE_STATES, AttemptState, BreakKind, IntentStatus, RefundState
from procrastinate_tasks import SoftTimeLimitExceeded

logger = logging.getLogger(__name__)

# Workers may have been down for days, and banks send refunds back weeks later.
CHARGE_WINDOW = timedelta(days=7)
REFUND_WINDOW = timedelta(days=35)
# A bank takes months to decide.
DISPUTE_WINDOW = timedelta(days=180)

_Row = TypeVar("_Row", PaymentAttempt, Refund)

_UNKNOWN_TO_STRIPE = "unknown"
# No other comparison would fare better: the time of the job or the database is gone.
_ENDS_THE_NIGHT = (SoftTimeLimitExceeded, OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileReport:
    """How many objects were compared, how many of our rows were brought up to date, what is still open."""

    compared: int
    repaired: int
    open_breaks: int


class _Verdict(Enum):
    AGREES = auto()
    REPAIRED = auto()
    DIFFERS = auto()
    POSTPONED = auto()
    LEFT = auto()


def reconcile(*, gateway: Gateway, now: datetime) -> ReconcileReport:
    """Compare the charges of the last week and the refunds of the last five.

    Raises:
        TransientFault: Stripe cannot be asked, or not of everything; run it again, nothing is lost.
    """
    verdicts = Counter(_reconcile_charges(gateway, now))
    verdicts.update(_reconcile_refunds(gateway, now))
    verdicts.update(_reconcile_disputes(gateway, now))
    if verdicts[_Verdict.POSTPONED]:
        raise ComparisonUnfinished(postponed=verdicts[_Verdict.POSTPONED])
    return ReconcileReport(
        compared=verdicts.total(), repaired=verdicts[_Verdict.REPAIRED], open_breaks=mismatches.count_open()
    )


def _reconcile_charges(gateway: Gateway, now: datetime) -> Iterator[_Verdict]:
    listed = set()
    try:
        for intent in gateway.list_intents(since=now - CHARGE_WINDOW):
            listed.add(intent.id)
            yield _apart(partial(_reconcile_intent, intent, gateway, now), intent.id)
    except OutcomeUnknown as fault:
        yield _postpone(fault, "the list of charges")
    for attempt in _captures_since(now - CHARGE_WINDOW):
        if attempt.stripe_intent_id and attempt.stripe_intent_id not in listed:
            compare = partial(_reconcile_older_capture, attempt, attempt.stripe_intent_id, gateway, now)
            yield _apart(compare, attempt.stripe_intent_id)


def _reconcile_refunds(gateway: Gateway, now: datetime) -> Iterator[_Verdict]:
    listed = set()
    try:
        for answer in gateway.list_refunds(since=now - REFUND_WINDOW):
            listed.add(answer.id)
            yield _apart(partial(_reconcile_refund, answer, gateway, now), answer.id)
    except OutcomeUnknown as fault:
        yield _postpone(fault, "the list of refunds")
        return  # What is not on half a list may be on the other half.
    for refund in _refunds_since(now - REFUND_WINDOW):
        if refund.stripe_refund_id not in listed:
            yield _keep(_difference_of_refund(refund, theirs=_UNKNOWN_TO_STRIPE), now)


def _apart(compare: Callable[[], _Verdict], stripe_id: str) -> _Verdict:
    """Compare one object; what cannot be compared now keeps no other from it."""
    try:
        return compare()
    except GatewayRefused:
        raise  # No other would fare better.
    except NewerRelease:
        return _Verdict.LEFT
    except PaymentError as fault:
        return _postpone(fault, stripe_id)
    except _ENDS_THE_NIGHT:
        raise
    except Exception as fault:  # Whatever it is: what is compared after it is other guests' money.
        logger.exception("a comparison failed", extra={"subject": stripe_id})
        return _postpone(fault, stripe_id)


def _postpone(fault: Exception, subject: str) -> _Verdict:
    logger.warning("not compared", extra={"subject": subject, "fault": str(fault)})
    return _Verdict.POSTPONED


def _reconcile_intent(intent: Intent, gateway: Gateway, now: datetime) -> _Verdict:
    attempt = _find(PaymentAttempt.objects.select_related("payment"), intent.attempt_key)
    if attempt is None:
        return _judge(lambda: _foreign_charge(intent), None, intent.id, now)
    return _judge(
        lambda: compare_charge(PaymentAttempt.objects.select_related("payment").get(pk=attempt.pk), intent),
        lambda: driver.refresh(attempt=attempt, intent_id=intent.id, gateway=gateway, now=now),
        intent.id,
        now,
    )


def _reconcile_older_capture(
    attempt: PaymentAttempt, intent_id: str, gateway: Gateway, now: datetime
) -> _Verdict:
    """A payment page's intent may be older than the window in which its money came."""
    try:
        intent = gateway.retrieve_intent(intent_id)
    except ObjectMissing:
        return _keep(_difference_of_charge(attempt, intent_id, theirs=_UNKNOWN_TO_STRIPE), now)
    return _judge(lambda: compare_charge(attempt, intent), None, intent_id, now)


def _reconcile_refund(answer: RefundAnswer, gateway: Gateway, now: datetime) -> _Verdict:
    return _judge(
        lambda: _compare_with_ours(answer),
        lambda: refunds.record(answer=answer, gateway=gateway, now=now),
        answer.id,
        now,
    )


def _compare_with_ours(answer: RefundAnswer) -> Mismatch | None:
    refund = refunds.find_ours(answer)
    return compare_refund(refund, answer) if refund else _foreign_refund(answer)


def _reconcile_disputes(gateway: Gateway, now: datetime) -> Iterator[_Verdict]:
    try:
        for answer in gateway.list_disputes(since=now - DISPUTE_WINDOW):
            yield _apart(partial(_reconcile_dispute, answer, gateway, now), answer.id)
    except OutcomeUnknown as fault:
        yield _postpone(fault, "the list of disputes")


def _reconcile_dispute(answer: DisputeAnswer, gateway: Gateway, now: datetime) -> _Verdict:
    """A dispute of a charge that is none of ours is told of by the charge itself."""
    before = _stored_status(answer)
    with contextlib.suppress(ObjectMissing):
        disputes.record(answer=answer, gateway=gateway, now=now)
    return _Verdict.AGREES if before == _stored_status(answer) else _Verdict.REPAIRED


def _stored_status(answer: DisputeAnswer) -> str | None:
    return Dispute.objects.filter(stripe_dispute_id=answer.id).values_list("status", flat=True).first()


def _judge(
    compare: Callable[[], Mismatch | None],
    repair: Callable[[], object] | None,
    stripe_id: str,
    now: datetime,
) -> _Verdict:
    """Compare; where we lag behind, catch up and compare again; keep what is left."""
    difference = compare()
    if difference is None:
        mismatches.close_agreed(stripe_id=stripe_id, now=now)
        return _Verdict.AGREES
    if repair is not None:
        _try(repair, difference)
        difference = compare()
    if difference is None:
        mismatches.close_agreed(stripe_id=stripe_id, now=now)
        return _Verdict.REPAIRED
    return _keep(difference, now)


def _try(repair: Callable[[], object], difference: Mismatch) -> None:
    try:
        repair()
    except TransientFault:
        raise
    except PaymentError as fault:  # What Stripe said before excludes it: the difference itself tells of it.
        logger.warning(
            "not repaired", extra={"stripe_id": difference.stripe_id, "fault": type(fault).__name__}
        )


def _keep(difference: Mismatch, now: datetime) -> _Verdict:
    mismatches.keep(difference, now=now)
    return _Verdict.DIFFERS


# --- What differs -----------------------------------------------------------------------------------------


def compare_charge(attempt: PaymentAttempt, intent: Intent) -> Mismatch | None:
    """Tell whether Stripe took exactly what an attempt says; one that is under way is the janitor's."""
    has_taken = intent.status == IntentStatus.SUCCEEDED
    if attempt.stripe_intent_id not in (None, intent.id):
        # Beside its own intent: a second one that took money, or still can.
        if intent.status == IntentStatus.CANCELED:
            return None
        return unexplained.describe_second(attempt, intent)
    if attempt.state in LIVE_STATES and not has_taken:
        return None
    ours = (attempt.state == AttemptState.SUCCEEDED, attempt.amount_minor, attempt.currency)
    theirs = (has_taken, intent.amount_minor, intent.currency)
    if ours == theirs:
        return None
    return _difference_of_charge(attempt, intent.id, theirs=_write(intent.status, intent))


def compare_refund(refund: Refund, answer: RefundAnswer) -> Mismatch | None:
    """Tell whether Stripe paid back exactly what a refund says."""
    ours = (refund.state, refund.amount_minor, refund.currency)
    if ours == (state_of(answer.status), answer.amount_minor, answer.currency):
        return None
    return _difference_of_refund(refund, theirs=_write(answer.status, answer), stripe_id=answer.id)


def _foreign_charge(intent: Intent) -> Mismatch | None:
    """What took money is ours to explain; what still may, only where it is a customer's of ours."""
    difference = unexplained.describe(intent)
    concerns_us = intent.status == IntentStatus.SUCCEEDED or difference.booking_id is not None
    return difference if concerns_us and intent.status != IntentStatus.CANCELED else None


def _foreign_refund(answer: RefundAnswer) -> Mismatch | None:
    """A refund without a row: of a charge of ours it gets one, so that what stays foreign is nobody's."""
    if state_of(answer.status) == RefundState.FAILED:
        return None
    attempt = PaymentAttempt.objects.select_related("payment").filter(stripe_intent_id=answer.intent_id)
    return Mismatch(
        kind=BreakKind.FOREIGN_REFUND,
        stripe_id=answer.id,
        ours="",
        theirs=_write(answer.status, answer),
        booking_id=next((each.payment.booking_id for each in attempt), None),
    )


def _difference_of_charge(attempt: PaymentAttempt, intent_id: str, *, theirs: str) -> Mismatch:
    return Mismatch(
        kind=BreakKind.CHARGE_DIFFERS,
        stripe_id=intent_id,
        ours=_write(attempt.state, attempt),
        theirs=theirs,
        booking_id=attempt.payment.booking_id,
    )


def _difference_of_refund(refund: Refund, *, theirs: str, stripe_id: str = "") -> Mismatch:
    return Mismatch(
        kind=BreakKind.REFUND_DIFFERS,
        stripe_id=stripe_id or refund.stripe_refund_id or str(refund.key),
        ours=_write(refund.state, refund),
        theirs=theirs,
        booking_id=refund.attempt.payment.booking_id,
    )


def _write(state: str, moved: Intent | RefundAnswer | PaymentAttempt | Refund) -> str:
    return f"{state} {write_sum(moved.amount_minor, moved.currency)}"


# --- Our rows ---------------------------------------------------------------------------------------------


def _captures_since(since: datetime) -> Iterator[PaymentAttempt]:
    captured = PaymentAttempt.objects.filter(state=AttemptState.SUCCEEDED, updated_at__gte=since)
    return captured.select_related("payment").iterator()


def _refunds_since(since: datetime) -> Iterator[Refund]:
    paid_back = Refund.objects.filter(state=RefundState.SUCCEEDED, created_at__gte=since)
    return paid_back.select_related("attempt__payment").iterator()


def _find(rows: QuerySet[_Row], key: str) -> _Row | None:
    """Return the row whose key we put into the metadata of what Stripe has, if it is one of ours."""
    try:
        return rows.filter(key=UUID(key)).first()
    except ValueError:
        return None
