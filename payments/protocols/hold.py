"""Follow a payment page that is open, and end the hold that nobody paid: without waiting to be told."""

from __future__ import annotations

from datetime import datetime

from payments import driver
from payments.deferred_jobs import look_at_page as look_again
from payments.gateway import Gateway
from payments.ledger import holds
from payments.models import PaymentAttempt
from payments.policies import AttemptState


def look_at_page(*, attempt_id: int, looks: int | None, gateway: Gateway, now: datetime) -> str:
    """Ask Stripe about a payment page, and again later while it is open; its end is the janitor's.

    Args:
        looks: how many looks of this series came before; ``None`` for one that stands alone.

    Returns:
        The state of the attempt, or ``not_found``.
    """
    attempts = PaymentAttempt.objects.select_related("payment__booking__quote__home")
    attempt = attempts.filter(pk=attempt_id).first()
    if attempt is None:
        return "not_found"
    if attempt.state in (AttemptState.OPEN, AttemptState.PROCESSING):
        attempt = driver.refresh(attempt=attempt, intent_id="", gateway=gateway, now=now)
    if attempt.state == AttemptState.OPEN and looks is not None:
        look_again(attempt_id=attempt.pk, looks=looks + 1, now=now)
    return attempt.state


def end_unpaid_hold(*, booking_id: int, now: datetime) -> str:
    """End a hold whose hour is over. Returns ``ended`` or ``kept``."""
    return "ended" if holds.end_unpaid(booking_id=booking_id, now=now) else "kept"
