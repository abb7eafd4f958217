"""Look at a dispute: it is read from Stripe, never believed from an event, and written down."""

from __future__ import annotations

from datetime import datetime

from payments import driver, unexplained
from payments.gateway import DisputeAnswer, Gateway
from payments.ledger import disputes, mismatches
from payments.models import Dispute
from payments.policies import HARMLESS_DISPUTES


def look(*, dispute_id: str, gateway: Gateway, now: datetime) -> Dispute | None:
    """Bring a dispute up to Stripe's truth; ``None`` when its charge is none of ours."""
    return record(answer=gateway.retrieve_dispute(dispute_id), gateway=gateway, now=now)


def record(*, answer: DisputeAnswer, gateway: Gateway, now: datetime) -> Dispute | None:
    """Write down what Stripe said of a dispute; the charge comes first, if we do not know it yet.

    Of a charge that somebody else made to a guest of ours there is no row to write: a difference with Stripe
    stops collection instead, until the cardholder has no objection any more or a person has explained it.
    """
    attempt = driver.find_charged(intent_id=answer.intent_id, gateway=gateway, now=now)
    if attempt is None:
        _keep_foreign(answer, gateway, now)
        return None
    return disputes.record_dispute(attempt_id=attempt.pk, answer=answer, now=now)


def _keep_foreign(answer: DisputeAnswer, gateway: Gateway, now: datetime) -> None:
    if answer.status in HARMLESS_DISPUTES:
        mismatches.close_agreed(stripe_id=answer.id, now=now)
    elif answer.intent_id:
        charge = gateway.retrieve_intent(answer.intent_id)
        difference = unexplained.describe_dispute(answer, charge)
        if difference is not None:
            mismatches.keep(difference, now=now)
