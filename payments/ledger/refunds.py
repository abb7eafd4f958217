"""Money on its way back: asked for under the booking's lock, recorded when Stripe has paid it."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from bookings.models import Booking
from payments import billing, policies, task_names
from payments.exceptions import ContradictoryEvidence
from payments.gateway import RefundAnswer, RefundStatus
from payments.ledger import rows
from payments.models import PaymentAttempt, Refund
from payments.policies import AttemptState, RefundState
from procrastinate_tasks.deferring import defer

logger = logging.getLogger(__name__)


def request_refund(*, booking: Booking, amount_minor: int, reason: str, now: datetime) -> None:
    """Pay money back, newest capture first; call it with the booking locked, before lowering what is owed."""
    captured = PaymentAttempt.objects.filter(payment__booking=booking, state=AttemptState.SUCCEEDED)
    refundable = [(attempt.pk, _refundable(attempt)) for attempt in captured.order_by("-updated_at", "-pk")]
    for attempt_id, part_minor in policies.split_refund(amount_minor, refundable):
        refund = Refund.objects.create(
            attempt_id=attempt_id,
            amount_minor=part_minor,
            currency=booking.quote.currency,
            reason=reason,
            check_at=now + policies.DRIVER_LEASE,
            created_at=now,
            updated_at=now,
        )
        defer(task_names.REFUND_PAYMENT, {"refund_id": refund.pk}, queueing_lock=f"refund:{refund.pk}")


def restore_refund(*, attempt: PaymentAttempt, answer: RefundAnswer, now: datetime) -> None:
    """Write a refund again that only Stripe remembers; the database refuses one that has no place."""
    with rows.locked_booking(attempt.payment.booking_id):
        refund = Refund.objects.create(
            attempt=attempt,
            amount_minor=answer.amount_minor,
            currency=attempt.currency,
            reason="rebuilt",
            key=UUID(answer.refund_key),
            check_at=now + policies.DRIVER_LEASE,
            created_at=now,
            updated_at=now,
        )
        record_refund(refund_id=refund.pk, answer=answer, now=now)


def record_refund(*, refund_id: int, answer: RefundAnswer, now: datetime) -> Refund:
    """Apply what Stripe says of a refund."""
    booking_id = Refund.objects.values_list("attempt__payment__booking_id", flat=True).get(pk=refund_id)
    with rows.locked_booking(booking_id) as booking:
        refund = Refund.objects.select_for_update(no_key=True).get(pk=refund_id)
        if refund.state != RefundState.SUCCEEDED:
            _apply_refund(booking, refund, answer, now)
        elif state_of(answer.status) == RefundState.FAILED:
            _reopen_refund(booking, refund, answer, now)
        elif answer.status != RefundStatus.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"refund {refund.pk}", stored=refund.state, said=answer.status
            )
        return refund


def state_of(status: RefundStatus) -> RefundState:
    """Return what a refund's status at Stripe is to us."""
    return _REFUND_STATES[status]


def _apply_refund(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    if answer.amount_minor != refund.amount_minor:
        raise ContradictoryEvidence(
            subject=f"refund {refund.pk}", stored=str(refund.amount_minor), said=str(answer.amount_minor)
        )
    _store(refund, answer, now)
    if refund.state == RefundState.SUCCEEDED:
        billing.post_refund(booking=booking, refund_id=answer.id, amount_minor=refund.amount_minor, now=now)


def _reopen_refund(booking: Booking, refund: Refund, answer: RefundAnswer, now: datetime) -> None:
    """A bank may send a refund back days after it was paid; the sum stays owed to the guest."""
    billing.post_refund_failure(
        booking=booking, refund_id=answer.id, amount_minor=refund.amount_minor, now=now
    )
    _store(refund, answer, now)
    logger.error("refund came back", extra={"refund_id": refund.pk, "failure": answer.failure})


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


def _refundable(attempt: PaymentAttempt) -> int:
    return attempt.amount_minor - sum(refund.amount_minor for refund in attempt.refunds.all())
