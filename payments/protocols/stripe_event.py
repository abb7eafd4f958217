"""Apply a Stripe event: not what it says, but what its object is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from payments import disputes, driver, refunds, unexplained
from payments.event_reading import read_event, thin_kind
from payments.event_types import Subject, plain_type, rule_for
from payments.exceptions import ContradictoryEvidence, ObjectMissing, UnknownKind
from payments.gateway import Gateway, Marks
from payments.ledger import mismatches
from payments.ledger.mismatches import Mismatch
from payments.models import PaymentAttempt, StripeEvent
from payments.policies import LIVE_STATES, BreakKind

_LONGEST_SIDE = 200
# An answer of Stripe's may be older than what we have: so long it is asked again before it is a difference.
_MAY_BE_STALE_FOR = timedelta(hours=1)


def apply_stripe_event(
    *, event_id: str, gateway: Gateway, now: datetime, again: bool = False
) -> StripeEvent.State | None:
    """Bring what an event is about up to Stripe's present truth; any number of times, in any order.

    Args:
        again: even if that was done before.

    Returns:
        What became of the event, ``None`` when there is none of that id.

    Raises:
        TransientFault: run it again; the event stays received.
    """
    event = StripeEvent.objects.filter(pk=event_id).first()
    if event is None:
        return None
    if event.state != StripeEvent.State.RECEIVED and not again:
        return StripeEvent.State(event.state)
    outcome = _read_anew(event, now) or _read_whole(event, gateway) or _apply(event, gateway, now)
    event.state, event.note, event.applied_at = outcome.state, outcome.note, now
    event.save(update_fields=("state", "note", "applied_at"))
    return outcome.state


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of an event, and why it changed nothing."""

    state: StripeEvent.State
    note: str = ""


_APPLIED = _Outcome(StripeEvent.State.APPLIED)


def _ignored(note: str) -> _Outcome:
    return _Outcome(StripeEvent.State.IGNORED, note)


def _parked(note: str) -> _Outcome:
    return _Outcome(StripeEvent.State.PARKED, note[:200])


def _read_anew(event: StripeEvent, now: datetime) -> _Outcome | None:
    """Read what was kept as it came: this release may understand what an earlier one did not."""
    if event.body is None:
        return None
    reading = read_event(bytes(event.body), now=now)
    event.type, event.object_id, event.payload = reading.type, reading.object_id, reading.payload
    return _parked(reading.problem) if reading.problem else None


def _read_whole(event: StripeEvent, gateway: Gateway) -> _Outcome | None:
    """Read what a thin event names but does not hold, and what the event is called that does."""
    kind = thin_kind(event.payload)
    event.type = plain_type(event.type)
    if kind is None or rule_for(event.type).subject in (Subject.PERSON, Subject.NOBODY):
        return None
    try:
        event.payload = {"data": {"object": gateway.read_object(kind=kind, object_id=event.object_id)}}
    except ObjectMissing:
        return _ignored("Stripe has no such object")
    except UnknownKind:
        return _parked("no release knows objects of this kind")
    return None


def _apply(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    rule = rule_for(event.type)
    match rule.subject:
        case Subject.ATTEMPT:
            return _apply_to_attempt(event, gateway, now)
        case Subject.REFUND:
            return _apply_to_refund(event, gateway, now)
        case Subject.CHARGE:
            return _apply_to_charge(event, gateway, now)
        case Subject.DISPUTE:
            return _apply_to_dispute(event, gateway, now)
        case Subject.PERSON:
            return _parked(rule.why)
        case Subject.NOBODY:
            return _ignored(rule.why)


def _apply_to_attempt(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    attempt = _find_attempt(event)
    if attempt is None:
        return _keep_unexplained(event, gateway, now)
    if not _is_the_one(attempt, event):
        return _keep_second(attempt, event, gateway, now)
    try:
        driver.refresh(attempt=attempt, intent_id=_intent_id(event), gateway=gateway, now=now)
    except ObjectMissing:
        return _ignored("Stripe has no such object")
    except ContradictoryEvidence as fault:
        return _contradict(attempt, event, fault.said, now)
    return _APPLIED


def _keep_second(attempt: PaymentAttempt, event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    """Keep what names an attempt that has another one: until a person explains it, nothing is charged."""
    if not _intent_id(event):
        return _contradict(attempt, event, f"{event.object_id} names an attempt that has another one", now)
    try:
        intent = gateway.retrieve_intent(event.object_id)
    except ObjectMissing:
        return _ignored("Stripe has no such object")
    if unexplained.is_explained(intent):
        return _ignored("it takes no money, or a person has explained it")
    mismatches.keep(unexplained.describe_second(attempt, intent), now=now)
    return _CONTRADICTS


def _keep_unexplained(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    """Keep what happens to a customer of ours without an attempt of ours: it locks their booking."""
    subject = _subject(event)
    marks = Marks(booking=str((_metadata(event) or {}).get("booking") or ""))
    customer_id = str(subject.get("customer") or "")
    intent_id = _intent_id(event) or str(subject.get("payment_intent") or "")
    if not intent_id or unexplained.find_booking(marks=marks, customer_id=customer_id) is None:
        return _ignored("no attempt of ours made this object") if _metadata(event) is not None else _NAMELESS
    try:
        intent = gateway.retrieve_intent(intent_id)
    except ObjectMissing:
        return _ignored("Stripe has no such object")
    if unexplained.is_explained(intent):
        return _ignored("it takes no money, or a person has explained it")
    mismatches.keep(unexplained.describe(intent), now=now)
    return _UNEXPLAINED


_UNEXPLAINED = _parked("no attempt of ours explains it: see the difference with Stripe that it opened")
_CONTRADICTS = _parked("it contradicts what we have: see the difference with Stripe that it opened")


def _subject(event: StripeEvent) -> dict[str, Any]:
    match event.payload:
        case {"data": {"object": dict() as subject}}:
            return subject
    return {}


_NAMELESS = _Outcome(StripeEvent.State.PARKED, "its object has no metadata, so nobody knows whose it is")


def _is_the_one(attempt: PaymentAttempt, event: StripeEvent) -> bool:
    """Whoever can write metadata can name any attempt of ours beside an object that is not its own.

    An attempt that ended without an intent has none to come yet.
    """
    is_intent = bool(_intent_id(event))
    stored = attempt.stripe_intent_id if is_intent else attempt.stripe_session_id
    if stored is None and is_intent:
        return attempt.state in LIVE_STATES
    return stored in (None, event.object_id)


def _contradict(attempt: PaymentAttempt, event: StripeEvent, said: str, now: datetime) -> _Outcome:
    """Open a difference that a person has to close: what Stripe says of an attempt is not what we have."""
    ours = f"{attempt.state} {attempt.amount_minor / 100:,.2f} {attempt.stripe_intent_id or ''}".strip()
    mismatches.keep(
        Mismatch(
            kind=BreakKind.CHARGE_DIFFERS,
            stripe_id=event.object_id,
            ours=ours[:_LONGEST_SIDE],
            theirs=said[:_LONGEST_SIDE],
            booking_id=attempt.payment.booking_id,
        ),
        now=now,
    )
    return _CONTRADICTS


def _apply_to_refund(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    try:
        answer = gateway.retrieve_refund(event.object_id)
    except ObjectMissing:
        return _ignored("Stripe has no such refund")
    try:
        refund = refunds.record(answer=answer, gateway=gateway, now=now)
    except ContradictoryEvidence as fault:
        return _differ(event, BreakKind.REFUND_DIFFERS, answer.id, answer.intent_id, fault, now)
    if refund is None:
        return _ignored("no attempt of ours made the charge, or no money moves")
    return _APPLIED


def _apply_to_charge(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    """A charge says that it was refunded, not by which refunds: all of them are read."""
    intent_id = _intent_of_charge(event)
    try:
        if not intent_id or refunds.learn(intent_id=intent_id, gateway=gateway, now=now) is None:
            return _ignored("no attempt of ours made the charge")
    except ContradictoryEvidence as fault:
        return _differ(event, BreakKind.REFUND_DIFFERS, intent_id, intent_id, fault, now)
    return _APPLIED


def _apply_to_dispute(event: StripeEvent, gateway: Gateway, now: datetime) -> _Outcome:
    try:
        dispute = disputes.look(dispute_id=event.object_id, gateway=gateway, now=now)
    except ObjectMissing:
        return _ignored("Stripe has no such dispute")
    except ContradictoryEvidence as fault:
        intent_id = _intent_of_charge(event)
        return _differ(event, BreakKind.CHARGE_DIFFERS, intent_id or event.object_id, intent_id, fault, now)
    if dispute is None and mismatches.is_open(stripe_id=event.object_id):
        return _UNEXPLAINED
    return _APPLIED if dispute else _ignored("no attempt of ours made the charge")


def _differ(
    event: StripeEvent,
    kind: BreakKind,
    stripe_id: str,
    intent_id: str,
    fault: ContradictoryEvidence,
    now: datetime,
) -> _Outcome:
    """Open a difference about what followed a charge, for the booking that was charged.

    Raises:
        ContradictoryEvidence: the event is not old enough: the next look may find another answer.
    """
    if now - event.received_at < _MAY_BE_STALE_FOR:
        raise fault
    attempt = PaymentAttempt.objects.select_related("payment").filter(stripe_intent_id=intent_id).first()
    mismatches.keep(
        Mismatch(
            kind=kind,
            stripe_id=stripe_id,
            ours=f"{fault.subject}: {fault.stored}"[:_LONGEST_SIDE],
            theirs=fault.said[:_LONGEST_SIDE],
            booking_id=attempt.payment.booking_id if attempt else None,
        ),
        now=now,
    )
    return _CONTRADICTS


def _find_attempt(event: StripeEvent) -> PaymentAttempt | None:
    """Find whose object it is by the key in its metadata, else by the id that we have stored."""
    all_attempts = PaymentAttempt.objects.select_related("payment")
    key = _our_key(event, "attempt")
    if key is not None:
        return all_attempts.filter(key=key).first()
    known = Q(stripe_intent_id=event.object_id) | Q(stripe_session_id=event.object_id)
    return all_attempts.filter(known).first() if event.object_id else None


def _our_key(event: StripeEvent, name: str) -> UUID | None:
    """Return the key that we put into the metadata of everything we create."""
    return _read_uuid((_metadata(event) or {}).get(name))


def _metadata(event: StripeEvent) -> Mapping[str, object] | None:
    match event.payload:
        case {"data": {"object": {"metadata": dict() as metadata}}}:
            return metadata
    return None


def _read_uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _intent_id(event: StripeEvent) -> str:
    return event.object_id if event.type.startswith("payment_intent.") else ""


def _intent_of_charge(event: StripeEvent) -> str:
    match event.payload:
        case {"data": {"object": {"payment_intent": str(intent_id)}}}:
            return intent_id
    return ""
