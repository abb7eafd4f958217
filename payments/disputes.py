"""Look at a dispute: it is read from Stripe, never believed from an event, and written down."""

from __future__ import annotations

from datetime import datetime

from payments import driver
from payments.gateway import DisputeAnswer, Gateway
from payments.ledger import disputes
from payments.models import Dispute


def look(*, dispute_id: str, gateway: Gateway, now: datetime) -> Dispute | None:
    """Bring a dispute up to Stripe's truth; ``None`` when its charge is none of ours."""
    return record(answer=gateway.retrieve_dispute(dispute_id), gateway=gateway, now=now)


def record(*, answer: DisputeAnswer, gateway: Gateway, now: datetime) -> Dispute | None:
    """Write down what Stripe said of a dispute; the charge comes first, if we do not know it yet."""
    attempt = driver.find_charged(intent_id=answer.intent_id, gateway=gateway, now=now)
    if attempt is None:
        return None
    return disputes.record_dispute(attempt_id=attempt.pk, answer=answer, now=now)
