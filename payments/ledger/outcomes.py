"""What Stripe says of an attempt: every path that learns the fate of money ends here.

None of these functions calls Stripe. What Stripe says is applied only forward: a fact that is older than what
is stored changes nothing, and one that contradicts a proof is refused.
"""

from __future__ import annotations

from datetime import datetime

from bookings import services as bookings
from bookings.models import BookingStatus
from payments import billing, look_times, policies
from payments.deferred_jobs import look_at_page, receipt_of, request_email, schedule
from payments.exceptions import ContradictoryEvidence
from payments.gateway import Intent, Session
from payments.ledger import changes, dunning, holds, locking
from payments.models import BookingAccount, PaymentAttempt
from payments.policies import AttemptState, Channel, IntentStatus, Objection, PaymentKind, PaymentStatus


def store_intent(*, attempt_id: int, intent: Intent, now: datetime) -> PaymentAttempt:
    """Store the id of an attempt's intent before anything may be confirmed."""
    with locking.locked_attempt(attempt_id) as attempt:
        _check_identity(attempt, intent)
        if attempt.state == AttemptState.CLAIMED:
            attempt.stripe_intent_id = intent.id
            locking.move(attempt, AttemptState.CREATED, now)
        return attempt


def store_session(*, attempt_id: int, session: Session, now: datetime) -> PaymentAttempt:
    """Store a Checkout Session before its address is shown to anybody."""
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CLAIMED:
            attempt.stripe_session_id = session.id
            attempt.session_url = session.url
            attempt.check_at = attempt.session_expires_at or now
            locking.move(attempt, AttemptState.OPEN, now)
            if attempt.payment.kind == PaymentKind.DEPOSIT:
                bookings.prolong_hold(booking=attempt.payment.booking, until=attempt.check_at)
            elif attempt.payment.kind in policies.SURCHARGES:
                changes.prolong(booking=attempt.payment.booking, until=attempt.check_at)
            look_at_page(attempt_id=attempt.pk, looks=0, now=now)
        return attempt


def note_decline(*, attempt_id: int, code: str, now: datetime, advice: str = "") -> None:
    """Remember why the bank said no, before the intent is cancelled."""
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state in policies.LIVE_STATES:
            attempt.decline_code, attempt.advice_code = code, advice
            locking.save(attempt, now)


def note_unknown(*, attempt_id: int, now: datetime) -> None:
    """Remember that a confirmation got no answer: only Stripe can tell what became of it.

    The call is over: the next look is as soon as it would be without a call to wait for.

    Args:
        now: when the caller began.
    """
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state not in (AttemptState.CONFIRMING, AttemptState.UNKNOWN):
            return
        attempt.check_at = look_times.look_after_call(
            check_at=attempt.check_at, checks=attempt.checks, began_at=now
        )
        locking.move(attempt, AttemptState.UNKNOWN, now)
        locking.set_status(attempt.payment, PaymentStatus.UNKNOWN)


def record_intent(*, attempt_id: int, intent: Intent, now: datetime) -> PaymentAttempt:
    """Apply what Stripe says of an intent: the only place where a payment becomes paid.

    Raises:
        ContradictoryEvidence: it contradicts a proof Stripe gave before.
    """
    with locking.locked_attempt(attempt_id) as attempt:
        _check_identity(attempt, intent)
        if attempt.state in policies.LIVE_STATES:
            _apply_intent(attempt, intent, now)
        elif intent.status == IntentStatus.SUCCEEDED and attempt.state != AttemptState.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"attempt {attempt.pk}", stored=attempt.state, said=intent.status
            )
        return attempt


def record_refusal(
    *, attempt_id: int, code: str, proof: str, now: datetime, advice: str = ""
) -> PaymentAttempt:
    """Apply that nothing was made at Stripe for an attempt, or nothing that anybody can pay."""
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CLAIMED:
            attempt.decline_code, attempt.advice_code = code, advice
            is_page = attempt.channel == Channel.CHECKOUT
            _bury(attempt, AttemptState.EXPIRED if is_page else AttemptState.DECLINED, proof, now)
        return attempt


def record_withdrawal(*, attempt_id: int, proof: str, now: datetime) -> PaymentAttempt:
    """Give up an attempt of which nothing was made at Stripe yet; its payment waits as before."""
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.CLAIMED:
            attempt.payment.reason = Objection.LOCKED
            _bury(attempt, AttemptState.CANCELED, proof, now)
        return attempt


def record_session_processing(*, attempt_id: int, now: datetime) -> PaymentAttempt:
    """Apply that a guest has finished a payment page whose money is not there yet."""
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state == AttemptState.OPEN:
            locking.move(attempt, AttemptState.PROCESSING, now)
            locking.set_status(attempt.payment, PaymentStatus.PROCESSING)
        return attempt


def record_session_expired(*, attempt_id: int, session: Session, now: datetime) -> PaymentAttempt:
    """Apply that a Checkout Session is closed for good, or done with and its money did not come.

    An unpaid hold ends at its own hour.
    """
    with locking.locked_attempt(attempt_id) as attempt:
        if attempt.state in policies.LIVE_STATES:
            attempt.stripe_session_id = session.id
            _bury(attempt, AttemptState.EXPIRED, f"{session.id} {session.status}", now)
        elif attempt.state == AttemptState.SUCCEEDED:
            raise ContradictoryEvidence(
                subject=f"attempt {attempt.pk}", stored=attempt.state, said=session.status
            )
        return attempt


def _check_identity(attempt: PaymentAttempt, intent: Intent) -> None:
    """An intent is the one this attempt asked for in all that was agreed, and no other attempt's.

    Raises:
        ContradictoryEvidence: it is not.
    """
    stored = (
        attempt.stripe_intent_id or intent.id,
        attempt.amount_minor,
        attempt.currency,
        attempt.stripe_customer_id or intent.customer_id,
        str(attempt.key),
    )
    # What somebody has emptied at Stripe proves nothing against an id that we stored ourselves.
    is_ours = attempt.stripe_intent_id == intent.id or attempt.stripe_session_id is not None
    key = intent.attempt_key or (str(attempt.key) if is_ours else "")
    customer_id = intent.customer_id or attempt.stripe_customer_id
    said = (intent.id, intent.amount_minor, intent.currency, customer_id, key)
    if stored != said:
        raise ContradictoryEvidence(subject=f"attempt {attempt.pk}", stored=str(stored), said=str(said))
    others = PaymentAttempt.objects.filter(stripe_intent_id=intent.id).exclude(pk=attempt.pk)
    if others.exists():
        raise ContradictoryEvidence(
            subject=f"attempt {attempt.pk}", stored=attempt.state, said=f"{intent.id}, which is another's"
        )


def _apply_intent(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    attempt.stripe_intent_id = intent.id
    match intent.status:
        case IntentStatus.SUCCEEDED:
            _capture(attempt, intent, now)
        case IntentStatus.CANCELED:
            if not attempt.decline_code:
                attempt.decline_code, attempt.advice_code = intent.decline_code, intent.advice_code
            state = AttemptState.DECLINED if attempt.decline_code else AttemptState.CANCELED
            _bury(attempt, state, _proof_of_cancelling(attempt, intent), now)
        case IntentStatus.PROCESSING:
            locking.move(attempt, AttemptState.PROCESSING, now)
            locking.set_status(attempt.payment, PaymentStatus.PROCESSING)


def _proof_of_cancelling(attempt: PaymentAttempt, intent: Intent) -> str:
    objection = attempt.payment.reason
    return f"{intent.id} canceled: {objection}" if objection else f"{intent.id} canceled"


def _capture(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    payment = attempt.payment
    locking.move(attempt, AttemptState.SUCCEEDED, now)
    billing.post_capture(payment=payment, intent_id=intent.id, now=now)
    locking.set_status(payment, PaymentStatus.PAID)
    if payment.kind == PaymentKind.DEPOSIT:
        _confirm(attempt, intent, now)
    else:
        _request_receipt(attempt, now)
    if payment.kind in policies.SURCHARGES:
        changes.conclude(payment=payment, base_url=attempt.base_url, now=now)
    if payment.booking.status != BookingStatus.PENDING:
        locking.settle_if_nothing_is_due(booking=payment.booking, now=now)


def _confirm(attempt: PaymentAttempt, intent: Intent, now: datetime) -> None:
    """A paid deposit confirms the booking, and the charge of its balance is deferred with it."""
    booking = attempt.payment.booking
    BookingAccount.objects.filter(booking=booking).update(
        stripe_customer_id=intent.customer_id, stripe_payment_method_id=intent.payment_method_id
    )
    if booking.cancel_requested_at is not None:
        return  # The settlement that is under way decides what becomes of the money.
    bookings.confirm_booking(booking=booking, now=now)
    if booking.quote.balance_minor:
        billing.open_obligation(
            booking=booking, kind=PaymentKind.BALANCE, amount_minor=booking.quote.balance_minor, now=now
        )
        schedule(booking=booking, base_url=attempt.base_url)
    _request_receipt(attempt, now)


def _bury(attempt: PaymentAttempt, state: AttemptState, proof: str, now: datetime) -> None:
    """End an attempt that took no money, on proof, and say what becomes of its payment."""
    payment = attempt.payment
    attempt.proof = proof
    locking.move(attempt, state, now)
    if attempt.decline_code == policies.MISSING_METHOD:
        locking.forget_card(booking=payment.booking)
    if payment.kind == PaymentKind.DEPOSIT:
        holds.end_attempt(payment=payment, reason=attempt.decline_code, proof=proof, now=now)
    elif state == AttemptState.DECLINED:
        dunning.note_decline(
            payment=payment,
            code=attempt.decline_code,
            advice=attempt.advice_code,
            base_url=attempt.base_url,
            now=now,
        )
    elif state == AttemptState.CANCELED:
        locking.set_status(payment, PaymentStatus.PENDING, payment.reason)
    else:
        locking.set_status(payment, PaymentStatus.REQUIRES_ACTION)


def _request_receipt(attempt: PaymentAttempt, now: datetime) -> None:
    payment = attempt.payment
    request_email(
        kind=receipt_of(payment), booking=payment.booking, payment=payment, base_url=attempt.base_url, now=now
    )
