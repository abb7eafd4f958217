"""Send one refund to Stripe, once, and learn what became of it."""

from __future__ import annotations

from datetime import datetime

from payments.exceptions import StateConflict
from payments.gateway import Gateway, RefundAnswer
from payments.ledger import refunds as ledger_refunds
from payments.models import Refund
from payments.policies import RefundState


def send(*, refund: Refund, gateway: Gateway, now: datetime) -> RefundState:
    """Send a refund unless Stripe has it already, and record Stripe's answer.

    Raises:
        TransientFault: run it again; Stripe's list is read before anything is sent twice.
    """
    answer = _find_or_create(refund, gateway)
    return RefundState(ledger_refunds.record_refund(refund_id=refund.pk, answer=answer, now=now).state)


def _find_or_create(refund: Refund, gateway: Gateway) -> RefundAnswer:
    intent_id, key = refund.attempt.stripe_intent_id or "", str(refund.key)
    found = gateway.find_refund(intent_id=intent_id, refund_key=key)
    if found is not None:
        return found
    try:
        return gateway.create_refund(intent_id=intent_id, amount_minor=refund.amount_minor, refund_key=key)
    except StateConflict:
        # Somebody else was faster, or the money went back by another way: then it is a person's to look at.
        found = gateway.find_refund(intent_id=intent_id, refund_key=key)
        if found is None:
            raise
        return found
