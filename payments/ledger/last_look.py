"""The last look: whether an attempt may take its money, asked anew before every single confirmation.

What was true when an attempt was claimed may be true no more when another worker, a retry or the janitor goes
on with it: the guest has cancelled, the dates have moved, the clock that called it due was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from payments import clocks, policies
from payments.deferred_jobs import QUEUE
from payments.exceptions import ChargingPaused
from payments.ledger import locking, mismatches
from payments.models import PaymentAttempt
from payments.policies import AttemptState, LastLook, Objection, PaymentStatus
from procrastinate_tasks import is_paused


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """An attempt as it is now, and why it must not be confirmed; ``None`` permits one confirmation."""

    attempt: PaymentAttempt
    objection: Objection | None


def permit_confirmation(*, attempt_id: int, is_untouched: bool, now: datetime) -> Permission:
    """Permit one confirmation, or write down what is against it.

    Args:
        is_untouched: Stripe has just said that no charge was ever tried on the intent.

    Raises:
        ChargingPaused: the queue of payments is paused.
        ClocksDisagree: by the clock of this machine nothing is charged.
        NewerRelease: a newer release has begun the attempt.
    """
    with locking.locked_attempt(attempt_id) as attempt:
        _require_that_charging_is_on()
        objection = policies.find_objection(_look_at(attempt))
        if attempt.state in policies.LIVE_STATES:
            if objection is None:
                _number_confirmation(attempt, is_untouched=is_untouched, now=now)
            _write_down(attempt, objection, now)
        return Permission(attempt=attempt, objection=objection)


def _number_confirmation(attempt: PaymentAttempt, *, is_untouched: bool, now: datetime) -> None:
    """Ask under the next key once Stripe may have forgotten the last: that may replay a fault for ever."""
    asked_at = attempt.confirm_asked_at
    is_old = asked_at is not None and now - asked_at >= policies.KEY_LIFETIME
    if is_old and is_untouched:
        attempt.confirm_n += 1
    if asked_at is None or (is_old and is_untouched):
        attempt.confirm_asked_at = now


def _require_that_charging_is_on() -> None:
    """What passes by itself ends no attempt: it waits, and the look is taken again."""
    if is_paused(QUEUE):
        raise ChargingPaused(queue=QUEUE)
    clocks.require_agreement()


def _look_at(attempt: PaymentAttempt) -> LastLook:
    payment = attempt.payment
    return LastLook(
        is_chargeable=locking.is_chargeable(payment.booking, payment),
        is_disputed=locking.is_disputed(payment.booking),
        is_due=locking.is_due(payment.booking, payment, clocks.read_database_clock()),
        amount_agrees=payment.amount_minor == attempt.amount_minor,
        is_locked=mismatches.lock_collection(payment.booking_id),
    )


def _write_down(attempt: PaymentAttempt, objection: Objection | None, now: datetime) -> None:
    reason = objection.value if objection else ""
    if attempt.payment.reason != reason:
        locking.set_status(attempt.payment, PaymentStatus(attempt.payment.status), reason)
    if objection is not None:
        return
    attempt.check_at = max(attempt.check_at, now + policies.DRIVER_LEASE)
    is_first = attempt.state == AttemptState.CREATED
    locking.move(attempt, AttemptState.CONFIRMING if is_first else AttemptState(attempt.state), now)
