"""Charge a payment to the saved card: claim it in one transaction, then drive the attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from payments import clocks, driver
from payments.gateway import Gateway
from payments.ledger import claims
from payments.models import PaymentAttempt
from payments.policies import AUTHENTICATION_REQUIRED, MISSING_METHOD, AttemptState, ChargeAnswer, Objection

logger = logging.getLogger(__name__)


def charge_balance(*, booking_id: int, base_url: str, gateway: Gateway, now: datetime) -> ChargeAnswer:
    """Charge the balance of a booking, unless there is a reason not to.

    Raises:
        TransientFault: it is not known yet, or not possible now; run it again.
    """
    claim = partial(claims.claim_balance, booking_id=booking_id, base_url=base_url, now=now)
    return _charge(claim, gateway, now)


def charge_payment(*, payment_id: int, base_url: str, gateway: Gateway, now: datetime) -> ChargeAnswer:
    """Charge any other payment to the saved card; raises like ``charge_balance``."""
    claim = partial(claims.claim_payment, payment_id=payment_id, base_url=base_url, now=now)
    return _charge(claim, gateway, now)


def _charge(claim: Callable[[], claims.Claim], gateway: Gateway, now: datetime) -> ChargeAnswer:
    """Claim and charge; a try that is due closes the guest's page first, or learns that it was paid."""
    clocks.require_agreement()
    claimed = claim()
    if claimed.page is not None:
        driver.close(attempt=claimed.page, gateway=gateway, now=now)
        claimed = claim()
    return _finish(claimed, gateway, now)


def _finish(claim: claims.Claim, gateway: Gateway, now: datetime) -> ChargeAnswer:
    if claim.attempt is None:
        answer = claim.answer or ChargeAnswer.NO_BALANCE
        logger.info("nothing to charge", extra={"answer": answer.value})
        return answer
    attempt = driver.drive(attempt=claim.attempt, gateway=gateway, now=now, is_new=claim.is_new)
    answer = _answer_for(attempt)
    logger.info("charge ended", extra={"answer": answer.value, "attempt_id": attempt.pk})
    return answer


def _answer_for(attempt: PaymentAttempt) -> ChargeAnswer:
    match attempt.state:
        case AttemptState.SUCCEEDED:
            return ChargeAnswer.SUCCEEDED
        case AttemptState.PROCESSING:
            return ChargeAnswer.PROCESSING
        case AttemptState.CANCELED:
            return _OBJECTIONS.get(attempt.payment.reason, ChargeAnswer.BOOKING_NOT_CONFIRMED)
    return _DECLINES.get(attempt.decline_code, ChargeAnswer.FAILED)


_DECLINES = {
    AUTHENTICATION_REQUIRED: ChargeAnswer.REQUIRES_ACTION,
    MISSING_METHOD: ChargeAnswer.MISSING_METHOD,
}

# Of an attempt that the last look has ended.
_OBJECTIONS = {
    Objection.NOT_DUE.value: ChargeAnswer.NOT_DUE,
    Objection.DISPUTED.value: ChargeAnswer.DISPUTED,
    Objection.LOCKED.value: ChargeAnswer.LOCKED,
}
