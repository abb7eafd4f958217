"""Drive one attempt to Stripe's truth, from wherever it stands.

    off-session   look for what we forgot ─► create ─► store its id ─► last look ─► confirm ─► record
                  a decline, or a last look that objects ─► cancel ─► record
    Checkout      create ─► store its address ─► (the guest pays, or time runs out) ─► record

A declined intent is cancelled, never confirmed again: the next try is another attempt, so that nothing can
take the money beside the page that the guest pays on meanwhile. A try that is due closes that page first.

No step is taken inside a transaction and none under a lock. Every step can be repeated: the keys are the
attempt's, an intent succeeds once at most, and the ledger applies a fact once. So a crash anywhere, or two
drivers at once, end in the same place.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from payments import memory, policies, requests, unexplained
from payments.exceptions import (
    CardDeclined,
    CollectionLocked,
    KeyReused,
    NoProgress,
    ObjectMissing,
    OutcomeUnknown,
    PayerEmailRefused,
    RequestRejected,
    StateConflict,
)
from payments.gateway import Gateway, Intent, Session, SessionStatus
from payments.ledger import last_look, locking, looks, mismatches, outcomes
from payments.models import PaymentAttempt
from payments.policies import Channel, IntentStatus, Step

logger = logging.getLogger(__name__)

# Clocks differ: Stripe's may be behind ours.
_SESSIONS_MARGIN = timedelta(minutes=10)

# Create, confirm, retrieve, cancel and record are five; twice that is a driver that goes round in circles.
_MOST_STEPS = 10


def drive(
    *, attempt: PaymentAttempt, gateway: Gateway, now: datetime, is_new: bool = False
) -> PaymentAttempt:
    """Take an attempt as far as it goes now, and return it as the ledger has it then.

    Args:
        is_new: it was claimed a moment ago, for this very call: nobody has asked anything of Stripe for it.

    Raises:
        TransientFault: run it again; the attempt stays live and nothing is lost.
        CollectionLocked: a payment page is not opened, because its money may have been taken already.
    """
    locking.require_known_protocol(attempt)
    with looks.attempt_in_use(attempt_id=attempt.pk, now=now):
        if attempt.channel == Channel.CHECKOUT:
            return _drive_checkout(attempt, gateway, now)
        return _drive_off_session(attempt, gateway, now, is_new=is_new)


def refresh(*, attempt: PaymentAttempt, intent_id: str, gateway: Gateway, now: datetime) -> PaymentAttempt:
    """Apply what Stripe says of an attempt now, without taking a step that could move money.

    Args:
        intent_id: the intent we were told about, empty when only the attempt is known.
    """
    if attempt.state == policies.AttemptState.SUCCEEDED:
        return attempt  # Nothing Stripe can say changes it: refunds have rows of their own.
    if attempt.stripe_session_id is not None:
        return _look_at_session(attempt, gateway, now)
    known_id = attempt.stripe_intent_id or intent_id
    if not known_id:
        return attempt
    return outcomes.record_intent(attempt_id=attempt.pk, intent=gateway.retrieve_intent(known_id), now=now)


def find_charged(*, intent_id: str, gateway: Gateway, now: datetime) -> PaymentAttempt | None:
    """Return the attempt that an intent charged, as Stripe has it now; ``None`` when it is none of ours."""
    attempts = PaymentAttempt.objects.select_related("payment")
    attempt = attempts.filter(stripe_intent_id=intent_id).first()
    if attempt is None:
        key = gateway.retrieve_intent(intent_id).attempt_key if intent_id else ""
        # Whoever can write metadata can name any attempt: one that has another intent did not make this one.
        attempt = attempts.filter(key=key, stripe_intent_id__isnull=True).first() if key else None
    if attempt is None:
        return None
    attempt = refresh(attempt=attempt, intent_id=intent_id, gateway=gateway, now=now)
    return attempt if attempt.stripe_intent_id == intent_id else None


def close(*, attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> PaymentAttempt:
    """Make sure that an attempt takes no money from now on, or learn that it has."""
    locking.require_known_protocol(attempt)
    if attempt.channel == Channel.OFF_SESSION:
        with looks.attempt_in_use(attempt_id=attempt.pk, now=now):
            return _drive_off_session(attempt, gateway, now, may_confirm=False)
    attempt = _drive_checkout(attempt, gateway, now)
    if attempt.state == policies.AttemptState.OPEN and attempt.stripe_session_id:
        _expire(attempt.stripe_session_id, gateway)
        attempt = _look_at_session(attempt, gateway, now)
    return attempt


def _drive_off_session(
    attempt: PaymentAttempt,
    gateway: Gateway,
    now: datetime,
    *,
    may_confirm: bool = True,
    is_new: bool = False,
) -> PaymentAttempt:
    intent: Intent | None = None
    for _ in range(_MOST_STEPS):
        if attempt.state not in policies.LIVE_STATES:
            return attempt
        step = policies.next_step(
            has_intent=attempt.stripe_intent_id is not None,
            intent_status=intent.status if intent else None,
            may_confirm=may_confirm,
        )
        logger.info("charge step", extra={"attempt_id": attempt.pk, "step": step.value})
        match step:
            case Step.CREATE:
                try:
                    is_first = is_new and memory.is_sure()
                    intent = None if is_first else _find_intent(attempt, gateway, now)
                    intent = intent or gateway.create_intent(requests.intent_of(attempt))
                except CollectionLocked:
                    return _withdraw(attempt, now)
                except ObjectMissing as missing:
                    return _record_missing(attempt, missing, gateway, now)
                except CardDeclined as decline:
                    return _record_early_decline(attempt, decline, now)
                except RequestRejected as rejection:
                    return _record_rejection(attempt, rejection, now)
                attempt = outcomes.store_intent(attempt_id=attempt.pk, intent=intent, now=now)
            case Step.RETRIEVE:
                intent = gateway.retrieve_intent(_intent_id(attempt))
            case Step.CONFIRM:
                permission = last_look.permit_confirmation(
                    attempt_id=attempt.pk, is_untouched=intent is not None and not intent.has_charge, now=now
                )
                attempt = permission.attempt
                may_confirm = permission.objection is None
                if may_confirm and attempt.state in policies.LIVE_STATES:
                    intent = _confirm(attempt, gateway, now)
            case Step.CANCEL:
                intent = _cancel(attempt, intent, gateway, now)
            case Step.RECORD if intent is not None:
                attempt = outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=now)
                if intent.status == IntentStatus.PROCESSING:
                    return attempt
    raise NoProgress(subject=f"attempt {attempt.pk}", steps=_MOST_STEPS)


def _find_intent(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> Intent | None:
    """Look for the intent of a resumed attempt: its idempotency key may be older than Stripe keeps it.

    Also before the first of a new one, while this database may know less than Stripe: see ``memory``.

    Raises:
        CollectionLocked: Stripe has something of this customer's that no attempt of ours explains.
    """
    others = []
    for intent in gateway.list_intents(customer_id=attempt.stripe_customer_id):
        if intent.attempt_key == str(attempt.key):
            return intent
        others.append(intent)
    _require_nothing_unexplained(attempt, others, gateway, now)
    return None


def _require_nothing_unexplained(
    attempt: PaymentAttempt, intents: list[Intent], gateway: Gateway, now: datetime
) -> None:
    """Look for money that the guest may have paid already, before anything can take it again."""
    sessions = list(gateway.list_open_pages(customer_id=attempt.stripe_customer_id))
    found = unexplained.list_of_customer(intents=intents, sessions=sessions)
    for each in found:
        difference = unexplained.describe(each)
        mismatches.keep(replace(difference, booking_id=attempt.payment.booking_id), now=now)
    if found:
        raise CollectionLocked


def _withdraw(attempt: PaymentAttempt, now: datetime) -> PaymentAttempt:
    return outcomes.record_withdrawal(
        attempt_id=attempt.pk, proof="nothing was made: what Stripe says has to be explained first", now=now
    )


def _record_missing(
    attempt: PaymentAttempt, missing: ObjectMissing, gateway: Gateway, now: datetime
) -> PaymentAttempt:
    """A card or customer removed at Stripe is the guest's to replace; one never known there is our fault.

    A person looks at the second first: the key may be that of another account. Once they have explained it,
    the guest is asked.
    """
    customer_id = attempt.stripe_customer_id
    if missing.param == "customer" and not gateway.has_deleted_customer(customer_id):
        booking_id = attempt.payment.booking_id
        mismatches.keep(
            unexplained.describe_customer(customer_id=customer_id, booking_id=booking_id), now=now
        )
        if mismatches.lock_collection(booking_id):
            return _withdraw(attempt, now)
    return outcomes.record_refusal(
        attempt_id=attempt.pk,
        code=policies.MISSING_METHOD,
        proof="Stripe knows no such customer or card and created nothing",
        now=now,
    )


def _record_early_decline(attempt: PaymentAttempt, decline: CardDeclined, now: datetime) -> PaymentAttempt:
    return outcomes.record_refusal(
        attempt_id=attempt.pk,
        code=decline.code,
        advice=decline.advice,
        proof="Stripe declined the card and created nothing",
        now=now,
    )


def _record_rejection(attempt: PaymentAttempt, rejection: RequestRejected, now: datetime) -> PaymentAttempt:
    """Give up what Stripe rejects, but only when the janitor looks: before that it is for us to see and mend.

    Stripe answers a key it knows before it looks at the request: nothing was made under this one.
    """
    if not attempt.checks:
        raise rejection
    return outcomes.record_refusal(
        attempt_id=attempt.pk,
        code=policies.REJECTED,
        proof=f"nothing was made: {rejection}"[:200],
        now=now,
    )


def _confirm(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> Intent:
    intent_id = _intent_id(attempt)
    try:
        return gateway.confirm_intent(
            intent_id=intent_id, attempt_key=str(attempt.key), confirm_n=attempt.confirm_n
        )
    except OutcomeUnknown:
        outcomes.note_unknown(attempt_id=attempt.pk, now=now)
        raise
    except CardDeclined as decline:
        outcomes.note_decline(attempt_id=attempt.pk, code=decline.code, advice=decline.advice, now=now)
    except ObjectMissing:
        outcomes.note_decline(attempt_id=attempt.pk, code=policies.MISSING_METHOD, now=now)
        return gateway.cancel_intent(intent_id=intent_id, attempt_key=str(attempt.key))
    except StateConflict:
        pass  # Another driver was faster; what it did is at Stripe.
    return gateway.retrieve_intent(intent_id)


def _cancel(attempt: PaymentAttempt, intent: Intent | None, gateway: Gateway, now: datetime) -> Intent:
    if intent is not None and intent.decline_code:
        outcomes.note_decline(
            attempt_id=attempt.pk, code=intent.decline_code, advice=intent.advice_code, now=now
        )
    try:
        return gateway.cancel_intent(intent_id=_intent_id(attempt), attempt_key=str(attempt.key))
    except StateConflict:
        return gateway.retrieve_intent(_intent_id(attempt))


def _drive_checkout(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> PaymentAttempt:
    if attempt.state != policies.AttemptState.CLAIMED:
        return _look_at_session(attempt, gateway, now)
    if attempt.created_at + policies.DRIVER_LEASE <= now:
        return _resume_checkout(attempt, gateway, now)
    try:
        if attempt.stripe_customer_id:
            intents = list(gateway.list_intents(customer_id=attempt.stripe_customer_id))
            _require_nothing_unexplained(attempt, intents, gateway, now)
        session = gateway.create_session(requests.session_of(attempt))
    except CollectionLocked:
        _withdraw(attempt, now)
        raise
    except ObjectMissing as missing:
        # The next page is opened without the customer that was deleted at Stripe.
        _record_missing(attempt, missing, gateway, now)
        raise
    except KeyReused:
        # Since a create that brought no answer a name or a release has changed what is asked.
        return _resume_checkout(attempt, gateway, now)
    except RequestRejected as rejection:
        code = policies.EMAIL_REFUSED if isinstance(rejection, PayerEmailRefused) else ""
        _end_page(attempt, f"nothing was made: {rejection}", now, code=code)
        raise
    return outcomes.store_session(attempt_id=attempt.pk, session=session, now=now)


def _resume_checkout(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> PaymentAttempt:
    """Find the page of a create that brought no answer; what Stripe does not list, nobody can pay.

    It is not asked for again: its expiry was fixed then and may be too near by now, and a fault may be
    replayed under its key for a day. A create that arrives yet is not stored, so its page is shown to nobody.
    """
    since = attempt.created_at - _SESSIONS_MARGIN
    for session in gateway.list_open_pages(since=since, customer_id=attempt.stripe_customer_id):
        if session.attempt_key == str(attempt.key):
            return outcomes.store_session(attempt_id=attempt.pk, session=session, now=now)
    return _end_page(attempt, "Stripe has no open page of it, and none was shown to anybody", now)


def _end_page(attempt: PaymentAttempt, proof: str, now: datetime, *, code: str = "") -> PaymentAttempt:
    return outcomes.record_refusal(attempt_id=attempt.pk, code=code, proof=proof[:200], now=now)


def _look_at_session(attempt: PaymentAttempt, gateway: Gateway, now: datetime) -> PaymentAttempt:
    if attempt.state not in policies.LIVE_STATES or attempt.stripe_session_id is None:
        return attempt
    session = gateway.retrieve_session(attempt.stripe_session_id)
    match session.status:
        case SessionStatus.EXPIRED:
            return outcomes.record_session_expired(attempt_id=attempt.pk, session=session, now=now)
        case SessionStatus.COMPLETE if session.is_paid:
            intent = gateway.retrieve_intent(session.intent_id)
            return outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=now)
        case SessionStatus.COMPLETE:
            return _record_unpaid_session(attempt, session, gateway, now)
        case SessionStatus.OPEN:
            return attempt


def _record_unpaid_session(
    attempt: PaymentAttempt, session: Session, gateway: Gateway, now: datetime
) -> PaymentAttempt:
    """A page that is done with and not paid: its money is under way, or has failed to come."""
    if attempt.state == policies.AttemptState.PROCESSING and attempt.updated_at + policies.LONGEST_LAG <= now:
        intent = gateway.retrieve_intent(session.intent_id)
        if intent.status == IntentStatus.REQUIRES_PAYMENT_METHOD:
            return outcomes.record_session_expired(attempt_id=attempt.pk, session=session, now=now)
    return outcomes.record_session_processing(attempt_id=attempt.pk, now=now)


def _expire(session_id: str, gateway: Gateway) -> None:
    try:
        gateway.expire_session(session_id)
    except StateConflict:
        logger.info("session was over already", extra={"session_id": session_id})


def _intent_id(attempt: PaymentAttempt) -> str:
    if attempt.stripe_intent_id is None:
        raise ValueError(f"attempt {attempt.pk} has no intent yet")
    return attempt.stripe_intent_id
