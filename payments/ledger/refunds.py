"""Money on its way back: asked for under the booking's lock, recorded when Stripe has paid it.

What Stripe has refunded, whoever asked for it, comes first: of our own refunds that wait, what does not fit
beside it is cut to what is left. A refund of ours that Stripe will not make, or that came back, stays owed to
the guest until somebody has it paid again.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from bookings.models import Booking
from bookings.money import write_sum
from payments import billing, policies
from payments.deferred_jobs import REFUND_PAYMENT, request_email
from payments.exceptions import ContradictoryEvidence, RefundDisputed, RefundNotOwed
from payments.gateway import RefundAnswer, RefundStatus
from payments.ledger import locking
from payments.models import BookingAccount, GuestEmail, PaymentAttempt, Refund
from payments.policies import AttemptState, RefundState
from procrastinate_tasks import defer

logger = logging.getLogger(__name__)

MADE_AT_STRIPE = "made at Stripe"
REBUILT = "rebuilt"


def request_refund(*, booking: Booking, amount_minor: int, reason: str, now: datetime) -> None:
    """Pay money back, newest capture first; call it with the booking locked, before lowering what is owed.

    Stripe refunds no charge that is disputed: what could only come from one is written down as owed, and sent
    when somebody asks for it after the dispute.
    """
    captured = PaymentAttempt.objects.filter(payment__booking=booking, state=AttemptState.SUCCEEDED)
    newest_first = captured.order_by("-updated_at", "-pk")
    disputed = {attempt.pk: locking.is_disputed_money(attempt) for attempt in newest_first}
    free_first = sorted(newest_first, key=lambda attempt: disputed[attempt.pk])
    refundable = [(attempt.pk, _refundable(attempt)) for attempt in free_first]
    for attempt_id, part_minor in policies.split_refund(amount_minor, refundable):
        refund = _new(attempt_id, part_minor, booking.quote.currency, reason, now)
        if disputed[attempt_id]:
            refund.state, refund.failure = RefundState.FAILED, policies.CHARGE_DISPUTED
        refund.save()
        _send_soon(refund)


def restore_refund(*, attempt: PaymentAttempt, answer: RefundAnswer, now: datetime) -> None:
    """Write a refund again that only Stripe remembers; the database refuses one that has no place."""
    with locking.locked_booking(attempt.payment.booking_id):
        refund = Refund.objects.create(
            attempt=attempt,
            amount_minor=answer.amount_minor,
            currency=attempt.currency,
            reason=REBUILT,
            key=UUID(answer.refund_key),
            check_at=now + policies.DRIVER_LEASE,
            created_at=now,
            updated_at=now,
        )
        record_refund(refund_id=refund.pk, answer=answer, now=now)


def record_refund(*, refund_id: int, answer: RefundAnswer, now: datetime) -> Refund:
    """Apply what Stripe says of a refund.

    Raises:
        ContradictoryEvidence: Stripe takes back what it said before, or has made what was given up here.
    """
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with locking.locked_booking(booking_id) as booking:
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        _record(booking, refund, answer, now)
        return refund


def book_refund(*, attempt_id: int, answer: RefundAnswer, now: datetime) -> Refund | None:
    """Write down a refund that somebody made at Stripe; ``None`` when no money moves for it.

    Raises:
        ContradictoryEvidence: it is more than the charge has left.
    """
    with locking.locked_attempt(attempt_id) as attempt:
        booking = attempt.payment.booking
        refund = Refund.objects.filter(stripe_refund_id=answer.id).first()
        if refund is None:
            if state_of(answer.status) == RefundState.FAILED:
                return None
            refund = _take_in(attempt, answer, now)
        _record(booking, refund, answer, now)
        return refund


def record_refusal(*, refund_id: int, failure: str, now: datetime) -> Refund:
    """Apply that Stripe refuses a refund for good: it stays owed, and is a person's to look at."""
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with locking.locked_booking(booking_id):
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if refund.state == RefundState.REQUESTED:
            refund.state, refund.failure, refund.updated_at = RefundState.FAILED, failure[:200], now
            refund.save(update_fields=("state", "failure", "updated_at"))
            logger.error("refund refused", extra={"refund_id": refund.pk, "failure": refund.failure})
        return refund


def replace_refund(*, refund_id: int) -> Refund:
    """Have a refund that failed paid by another one, under a key of its own.

    Raises:
        RefundNotOwed: it has not failed, or was paid by another one.
        RefundDisputed: a bank has the money of its charge.
    """
    now = timezone.now()
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with locking.locked_booking(booking_id):
        failed = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if failed.state != RefundState.FAILED:
            raise RefundNotOwed
        if locking.is_disputed_money(failed.attempt):
            raise RefundDisputed
        again = _rest_of(failed, failed.amount_minor, now)
        _change_places([failed], [(again, RefundState.REQUESTED)], now)
        return again


def give_up_refund(*, refund_id: int, now: datetime) -> Refund:
    """End a refund that failed: nobody will have it paid again, and its sum is the house's.

    Raises:
        RefundNotOwed: it has not failed, or was paid by another one.
    """
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with locking.locked_booking(booking_id) as booking:
        failed = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if failed.state != RefundState.FAILED:
            raise RefundNotOwed
        billing.keep_refund(booking=booking, refund_pk=failed.pk, amount_minor=failed.amount_minor, now=now)
        _change_places([failed], [], now)
        return failed


def make_room(*, attempt: PaymentAttempt, now: datetime, joining: Refund | None = None) -> None:
    """Cut the refunds that wait to what is left of a charge; call it with the booking locked.

    Args:
        joining: a refund that Stripe has, to be written down in the same moment.
    """
    waiting = list(attempt.refunds.filter(state__in=policies.WAITING_REFUNDS).order_by("-pk"))
    room = _left_at_stripe(attempt) - (joining.amount_minor if joining else 0)
    left = policies.cut_waiting([(refund.pk, refund.amount_minor) for refund in waiting], room)
    leaving = [refund for refund in waiting if refund.pk in left]
    arriving = [
        (_rest_of(refund, left[refund.pk], now), _state_of_rest(refund))
        for refund in leaving
        if left[refund.pk]
    ]
    if joining is not None:
        arriving.append((joining, RefundState.SUBMITTED))
    _change_places(leaving, arriving, now)


def owe_excess(*, attempt: PaymentAttempt, gained_minor: int, now: datetime) -> None:
    """Owe a guest what a sum, given up as lost and gained again, is more than the booking owes."""
    booking = attempt.payment.booking
    account = BookingAccount.objects.get(booking=booking)
    excess = gained_minor - account.due_minor + account.in_flight_minor
    if excess > 0:
        refund = _new(attempt.pk, excess, attempt.currency, "dispute", now)
        refund.state, refund.failure = RefundState.FAILED, policies.CHARGE_DISPUTED
        refund.save()


def state_of(status: RefundStatus) -> RefundState:
    """Return what a refund's status at Stripe is to us."""
    return _REFUND_STATES[status]


# --- What Stripe says --------------------------------------------------------------------------------------


def _record(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    said = state_of(answer.status)
    _check_identity(refund, answer)
    ours, theirs = (refund.amount_minor, refund.currency), (answer.amount_minor, answer.currency)
    if ours != theirs:
        raise _contradiction(refund, write_sum(*ours), write_sum(*theirs))
    if _has_ended(refund):
        if said == RefundState.SUCCEEDED and refund.state != said:
            raise _contradiction(refund, refund.state, answer.status)
    elif refund.state != RefundState.SUCCEEDED:
        _apply_refund(booking, refund, answer, now)
    elif said == RefundState.FAILED:
        _reopen_refund(booking, refund, answer, now)
    elif said != RefundState.SUCCEEDED:
        raise _contradiction(refund, refund.state, answer.status)


def _check_identity(refund: Refund, answer: RefundAnswer) -> None:
    """An answer is about the refund that was asked for; what Stripe leaves empty proves nothing.

    Raises:
        ContradictoryEvidence: it is about another one.
    """
    key, intent_id = str(refund.key), refund.attempt.stripe_intent_id or ""
    stored = (refund.stripe_refund_id or answer.id, key, intent_id)
    is_by_hand = refund.reason == MADE_AT_STRIPE
    said = (answer.id, key if is_by_hand else answer.refund_key or key, answer.intent_id or intent_id)
    if stored != said:
        raise _contradiction(refund, str(stored), str(said))


def _has_ended(refund: Refund) -> bool:
    """What Stripe said had failed stays so; what was given up here is made by nobody."""
    came_back = refund.state == RefundState.FAILED and refund.stripe_refund_id is not None
    return came_back or refund.state == RefundState.VOID


def _contradiction(refund: Refund, stored: str, said: str) -> ContradictoryEvidence:
    return ContradictoryEvidence(subject=f"refund {refund.pk}", stored=stored, said=said)


def _apply_refund(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    _store(refund, answer, now)
    if refund.state == RefundState.SUCCEEDED:
        billing.post_refund(booking=booking, refund_id=answer.id, amount_minor=refund.amount_minor, now=now)
        if refund.reason != REBUILT:  # Its guest was told by what was lost.
            _request_email(GuestEmail.Kind.REFUND_SENT, booking, refund, now)
    elif refund.state == RefundState.FAILED:
        _tell_that_it_failed(booking, refund, now)


def _reopen_refund(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    """A bank may send a refund back days after it was paid; the sum stays owed to the guest."""
    billing.post_refund_failure(
        booking=booking, refund_id=answer.id, amount_minor=refund.amount_minor, now=now
    )
    _store(refund, answer, now)
    _tell_that_it_failed(booking, refund, now)


def _tell_that_it_failed(booking: Booking, refund: Refund, now: datetime) -> None:
    logger.error("refund came back", extra={"refund_id": refund.pk, "failure": refund.failure})
    _request_email(GuestEmail.Kind.REFUND_FAILED, booking, refund, now)


def _request_email(kind: GuestEmail.Kind, booking: Booking, refund: Refund, now: datetime) -> None:
    request_email(
        kind=kind,
        booking=booking,
        payment=refund.attempt.payment,
        refund=refund,
        base_url=refund.attempt.base_url,
        now=now,
    )


def _take_in(attempt: PaymentAttempt, answer: RefundAnswer, now: datetime) -> Refund:
    refund = _new(attempt.pk, answer.amount_minor, attempt.currency, MADE_AT_STRIPE, now)
    refund.stripe_refund_id = answer.id
    is_foreign = answer.currency != attempt.currency
    if is_foreign:
        theirs = write_sum(answer.amount_minor, answer.currency)
        raise _contradiction(refund, f"attempt {attempt.pk} {attempt.currency}", theirs)
    if attempt.state != AttemptState.SUCCEEDED or answer.amount_minor > _left_at_stripe(attempt):
        raise _contradiction(refund, f"attempt {attempt.pk} {attempt.state}", str(answer.amount_minor))
    make_room(attempt=attempt, joining=refund, now=now)
    return refund


def _store(refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    refund.stripe_refund_id = answer.id
    refund.state = state_of(answer.status)
    refund.failure = answer.failure
    refund.updated_at = now
    refund.save(update_fields=("stripe_refund_id", "state", "failure", "updated_at"))


_REFUND_STATES = {
    RefundStatus.PENDING: RefundState.SUBMITTED,
    RefundStatus.REQUIRES_ACTION: RefundState.SUBMITTED,
    RefundStatus.SUCCEEDED: RefundState.SUCCEEDED,
    RefundStatus.FAILED: RefundState.FAILED,
    RefundStatus.CANCELED: RefundState.FAILED,
}


# --- Rows that make room for one another -------------------------------------------------------------------


def _change_places(leaving: list[Refund], arriving: list[tuple[Refund, RefundState]], now: datetime) -> None:
    """Give refunds up for others in one statement: between the two the account's bounds would not hold."""
    for refund, _ in arriving:
        refund.state = RefundState.VOID
        refund.save()
    for refund, state in [*((refund, RefundState.VOID) for refund in leaving), *arriving]:
        refund.state, refund.updated_at = state, now
    changed = [*leaving, *(refund for refund, _ in arriving)]
    Refund.objects.bulk_update(changed, fields=("state", "updated_at"))
    for refund, _ in arriving:
        _send_soon(refund)


def _send_soon(refund: Refund) -> None:
    if refund.state == RefundState.REQUESTED:
        defer(REFUND_PAYMENT, {"refund_id": refund.pk}, queueing_lock=f"refund:{refund.pk}")


def _new(attempt_id: int, amount_minor: int, currency: str, reason: str, now: datetime) -> Refund:
    return Refund(
        attempt_id=attempt_id,
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
        check_at=now + policies.DRIVER_LEASE,
        created_at=now,
        updated_at=now,
    )


def _rest_of(refund: Refund, amount_minor: int, now: datetime) -> Refund:
    rest = _new(refund.attempt_id, amount_minor, refund.currency, refund.reason, now)
    rest.replaces, rest.failure = refund, refund.failure
    return rest


def _state_of_rest(refund: Refund) -> RefundState:
    is_disputed = locking.is_disputed_money(refund.attempt)
    return RefundState.FAILED if is_disputed else RefundState(refund.state)


def _refundable(attempt: PaymentAttempt) -> int:
    """Return what may still be asked back of a charge, beside all that is owed or paid back already."""
    owed = attempt.refunds.filter(state__in=policies.WAITING_REFUNDS).aggregate(sum=Sum("amount_minor"))
    return max(_left_at_stripe(attempt) - (owed["sum"] or 0), 0)


def _left_at_stripe(attempt: PaymentAttempt) -> int:
    """Return what Stripe has left of a charge: less what it refunded, and what a bank took for good."""
    made = attempt.refunds.filter(state__in=(RefundState.SUBMITTED, RefundState.SUCCEEDED))
    lost = attempt.disputes.filter(status__in=policies.LOST_DISPUTES)
    refunded = made.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return attempt.amount_minor - refunded - (lost.aggregate(sum=Sum("withheld_minor"))["sum"] or 0)
