"""Disputes: what Stripe says of one, written down; its money is posted once, whatever the order of events."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from django.db.models import QuerySet

from bookings.models import Booking
from bookings.money import write_sum
from payments import billing, policies
from payments.gateway import DisputeAnswer
from payments.ledger import locking, mismatches, refunds
from payments.ledger.mismatches import Mismatch
from payments.models import Account, Dispute, LedgerTransfer, PaymentAttempt
from payments.policies import BreakKind, DisputeStatus

logger = logging.getLogger(__name__)

_LONGEST_SIDE = 200


def record_dispute(*, attempt_id: int, answer: DisputeAnswer, now: datetime) -> Dispute:
    """Apply what Stripe says of a dispute: from this transaction on, nothing is collected while it stands."""
    with locking.locked_attempt(attempt_id) as attempt:
        dispute = Dispute.objects.filter(stripe_dispute_id=answer.id).first()
        if dispute is None:
            dispute = Dispute(attempt=attempt, stripe_dispute_id=answer.id, created_at=now)
            logger.error("charge disputed", extra={"dispute_id": answer.id, "attempt_id": attempt.pk})
        elif _is_older(dispute, answer):
            return dispute
        if _is_of_another_currency(attempt, answer):
            mismatches.keep(_describe_foreign(attempt, answer), now=now)
        answer = _in_our_currency(attempt, answer)
        _store(dispute, answer, now)
        change = _change_of_loss(dispute)
        if change < 0:
            _take_back_loss(attempt, dispute, -change, now)
        _post_movements(attempt.payment.booking, answer, now)
        if change > 0:
            _post_loss(attempt, dispute, change, now)
            refunds.make_room(attempt=attempt, now=now)
        return dispute


def _is_of_another_currency(attempt: PaymentAttempt, answer: DisputeAnswer) -> bool:
    currencies = {answer.currency, *(movement.currency for movement in answer.movements)}
    return currencies != {attempt.currency}


def _in_our_currency(attempt: PaymentAttempt, answer: DisputeAnswer) -> DisputeAnswer:
    """Leave out what the ledger has no place for: a sum in another currency is no number of centavos."""
    ours = tuple(each for each in answer.movements if each.currency == attempt.currency)
    return replace(answer, movements=ours)


def _describe_foreign(attempt: PaymentAttempt, answer: DisputeAnswer) -> Mismatch:
    sums = [write_sum(answer.amount_minor, answer.currency)]
    sums += [write_sum(each.amount_minor, each.currency) for each in answer.movements]
    return Mismatch(
        kind=BreakKind.CHARGE_DIFFERS,
        stripe_id=answer.id,
        ours=write_sum(attempt.amount_minor, attempt.currency),
        theirs=f"{answer.status}, not booked: {', '.join(sums)}"[:_LONGEST_SIDE],
        booking_id=attempt.payment.booking_id,
    )


def _is_older(dispute: Dispute, answer: DisputeAnswer) -> bool:
    stored = policies.dispute_stage(DisputeStatus(dispute.status))
    return policies.dispute_stage(answer.status) < stored


def _store(dispute: Dispute, answer: DisputeAnswer, now: datetime) -> None:
    dispute.amount_minor, dispute.currency = answer.amount_minor, answer.currency
    dispute.reason, dispute.status = answer.reason, answer.status
    dispute.withheld_minor = max(-sum(movement.amount_minor for movement in answer.movements), 0)
    dispute.is_refundable, dispute.due_by = answer.is_refundable, answer.due_by
    dispute.opened_at, dispute.updated_at = answer.opened_at, now
    dispute.save()


def _post_movements(booking: Booking, answer: DisputeAnswer, now: datetime) -> None:
    """Post each of Stripe's own bookings of a dispute under its id, unless that was done; takings first."""
    for movement in sorted(answer.movements, key=lambda each: each.amount_minor):
        source_id = f"{answer.id}:{movement.id}"
        if not _is_posted(source_id):
            billing.post_dispute(
                booking=booking, source_id=source_id, amount_minor=-movement.amount_minor, now=now
            )


def _change_of_loss(dispute: Dispute) -> int:
    """Return how much more is lost than was posted; negative when an appeal puts the end in doubt again."""
    lost = dispute.withheld_minor if dispute.status in policies.LOST_DISPUTES else 0
    return lost - sum(
        post.amount_minor if post.debit == Account.DISPUTE_LOSSES else -post.amount_minor
        for post in _losses(dispute)
    )


def _take_back_loss(attempt: PaymentAttempt, dispute: Dispute, amount_minor: int, now: datetime) -> None:
    """What is not lost after all may be more than the booking owes: then it is the guest's again."""
    refunds.owe_excess(attempt=attempt, gained_minor=amount_minor, now=now)
    _post_loss(attempt, dispute, -amount_minor, now)


def _post_loss(attempt: PaymentAttempt, dispute: Dispute, amount_minor: int, now: datetime) -> None:
    billing.post_dispute_loss(
        booking=attempt.payment.booking,
        source_id=f"{dispute.stripe_dispute_id}:{_losses(dispute).count() + 1}",
        amount_minor=amount_minor,
        now=now,
    )


def _losses(dispute: Dispute) -> QuerySet[LedgerTransfer]:
    of_this = f"{dispute.stripe_dispute_id}:"
    return LedgerTransfer.objects.filter(source_type="dispute_loss", source_id__startswith=of_this)


def _is_posted(source_id: str) -> bool:
    return LedgerTransfer.objects.filter(source_type="dispute", source_id=source_id).exists()
