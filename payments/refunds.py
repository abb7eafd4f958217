"""Send one refund to Stripe, once, and learn what became of it, and of what others have paid back."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from payments import driver
from payments.exceptions import ChargeDisputed, RequestRejected, StateConflict
from payments.gateway import Gateway, RefundAnswer
from payments.ledger import disputes as ledger_disputes
from payments.ledger import looks
from payments.ledger import refunds as ledger_refunds
from payments.models import Refund
from payments.policies import CHARGE_DISPUTED, RefundState


def send(*, refund: Refund, gateway: Gateway, now: datetime) -> RefundState:
    """Send a refund unless Stripe has it already, and record Stripe's answer.

    One that Stripe refuses is cut to what is left, when somebody else has refunded the charge; else it stays
    owed, and is a person's to look at. Neither is asked for again by itself.

    Raises:
        TransientFault: run it again; Stripe's list is read before anything is sent twice.
    """
    if refund.state not in (RefundState.REQUESTED, RefundState.SUBMITTED):
        return RefundState(refund.state)
    with looks.refund_in_use(refund_id=refund.pk, now=now):
        return _send(refund, gateway, now)


def _send(refund: Refund, gateway: Gateway, now: datetime) -> RefundState:
    try:
        answer = _find(refund, gateway) or _create(refund, gateway)
    except ChargeDisputed:
        _learn_disputes(refund, gateway, now)
        return _refuse(refund, CHARGE_DISPUTED, now)
    except (StateConflict, RequestRejected) as refusal:
        learn(intent_id=_intent_id(refund), gateway=gateway, now=now)
        return _refuse(refund, refusal.detail, now)
    return RefundState(ledger_refunds.record_refund(refund_id=refund.pk, answer=answer, now=now).state)


def record(*, answer: RefundAnswer, gateway: Gateway, now: datetime) -> Refund | None:
    """Write down what Stripe said of a refund, whoever made it.

    Returns:
        Its row; ``None`` when the charge is none of ours, or when it failed before we knew of it.
    """
    refund = find_ours(answer)
    if refund is not None:
        return ledger_refunds.record_refund(refund_id=refund.pk, answer=answer, now=now)
    attempt = driver.find_charged(intent_id=answer.intent_id, gateway=gateway, now=now)
    if attempt is None:
        return None
    if attempt.refunds.filter(state=RefundState.REQUESTED).exists():
        _learn_ours(answer.intent_id, gateway, now)
    return ledger_refunds.book_refund(attempt_id=attempt.pk, answer=answer, now=now)


def _learn_ours(intent_id: str, gateway: Gateway, now: datetime) -> None:
    """Write down what Stripe has made of ours: of those whose answer was lost, none makes room any more."""
    for answer in gateway.find_refunds(intent_id):
        refund = find_ours(answer)
        if refund is not None and refund.state == RefundState.REQUESTED:
            ledger_refunds.record_refund(refund_id=refund.pk, answer=answer, now=now)


def learn(*, intent_id: str, gateway: Gateway, now: datetime) -> int | None:
    """Write down every refund that Stripe lists of a charge, whoever made it.

    Returns:
        How many there are; ``None`` when the charge is none of ours.
    """
    answers = list(gateway.find_refunds(intent_id))
    # Ours first: what Stripe has of them makes no room for those of others.
    ours = [(answer, find_ours(answer)) for answer in answers]
    for answer, refund in ours:
        if refund is not None:
            ledger_refunds.record_refund(refund_id=refund.pk, answer=answer, now=now)
    attempt = driver.find_charged(intent_id=intent_id, gateway=gateway, now=now)
    if attempt is None:
        return None
    for answer, refund in ours:
        if refund is None:
            ledger_refunds.book_refund(attempt_id=attempt.pk, answer=answer, now=now)
    return len(answers)


def find_ours(answer: RefundAnswer) -> Refund | None:
    """Return the row of a refund: by our key, or by Stripe's id when somebody else made it."""
    rows = Refund.objects.select_related("attempt__payment")
    return rows.filter(stripe_refund_id=answer.id).first() or _find_by_key(answer.refund_key)


def _find_by_key(text: str) -> Refund | None:
    try:
        return Refund.objects.select_related("attempt__payment").filter(key=UUID(text)).first()
    except ValueError:
        return None


def _find(refund: Refund, gateway: Gateway) -> RefundAnswer | None:
    if refund.stripe_refund_id:
        return gateway.retrieve_refund(refund.stripe_refund_id)
    return gateway.find_refund(intent_id=_intent_id(refund), refund_key=str(refund.key))


def _create(refund: Refund, gateway: Gateway) -> RefundAnswer:
    return gateway.create_refund(
        intent_id=_intent_id(refund), amount_minor=refund.amount_minor, refund_key=str(refund.key)
    )


def _learn_disputes(refund: Refund, gateway: Gateway, now: datetime) -> None:
    for answer in gateway.find_disputes(_intent_id(refund)):
        ledger_disputes.record_dispute(attempt_id=refund.attempt_id, answer=answer, now=now)


def _refuse(refund: Refund, failure: str, now: datetime) -> RefundState:
    """What was learned may have ended the refund, or have found it paid: then the refusal is no news."""
    return RefundState(ledger_refunds.record_refusal(refund_id=refund.pk, failure=failure, now=now).state)


def _intent_id(refund: Refund) -> str:
    return refund.attempt.stripe_intent_id or ""
