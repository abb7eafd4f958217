"""Apply a Stripe event: not what it says, but what its object is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from payments import attempts
from payments.gateway import Gateway
from payments.ledger import refunds
from payments.models import PaymentAttempt, Refund, StripeEvent


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
    ignored_because = _apply(event, gateway, now)
    event.state = StripeEvent.State.IGNORED if ignored_because else StripeEvent.State.APPLIED
    event.note = ignored_because
    event.applied_at = now
    event.save(update_fields=("state", "note", "applied_at"))
    return StripeEvent.State(event.state)


def _apply(event: StripeEvent, gateway: Gateway, now: datetime) -> str:
    for prefix, apply in _APPLIERS.items():
        if event.type.startswith(prefix):
            return apply(event, gateway, now)
    return "no payment depends on events of this type"


def _apply_to_attempt(event: StripeEvent, gateway: Gateway, now: datetime) -> str:
    attempt = _find_attempt(event)
    if attempt is None:
        return "no attempt of ours made this object"
    attempts.look(attempt=attempt, intent_id=_intent_id(event), gateway=gateway, now=now)
    return ""


def _apply_to_refund(event: StripeEvent, gateway: Gateway, now: datetime) -> str:
    key = _our_key(event, "refund")
    refund = Refund.objects.select_related("attempt").filter(key=key).first() if key else None
    if refund is None:
        return "no refund of ours made this object"
    answer = gateway.find_refund(intent_id=refund.attempt.stripe_intent_id or "", refund_key=str(refund.key))
    if answer is None:
        return "Stripe lists no such refund"
    refunds.record_refund(refund_id=refund.pk, answer=answer, now=now)
    return ""


def _find_attempt(event: StripeEvent) -> PaymentAttempt | None:
    key = _our_key(event, "attempt")
    return PaymentAttempt.objects.select_related("payment").filter(key=key).first() if key else None


def _our_key(event: StripeEvent, name: str) -> UUID | None:
    """Return the key that we put into the metadata of everything we create."""
    match event.payload:
        case {"data": {"object": {"metadata": {**metadata}}}}:
            return _read_uuid(metadata.get(name))
    return None


def _read_uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _intent_id(event: StripeEvent) -> str:
    return event.object_id if event.type.startswith("payment_intent.") else ""


_APPLIERS: Mapping[str, Callable[[StripeEvent, Gateway, datetime], str]] = {
    "payment_intent.": _apply_to_attempt,
    "checkout.session.": _apply_to_attempt,
    "refund.": _apply_to_refund,
    "charge.refund.": _apply_to_refund,
}
