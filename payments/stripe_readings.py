"""How Stripe's intents, sessions, refunds and disputes are read, and by which keys we know what we made."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from payments.exceptions import UnknownKind
from payments.gateway import (
    DisputeAnswer,
    DisputeMovement,
    Intent,
    Marks,
    RefundAnswer,
    RefundStatus,
    Session,
    SessionStatus,
)
from payments.policies import DisputeStatus, IntentStatus

# The names in the metadata of everything that we create.
ATTEMPT_KEY = "attempt"
BOOKING_KEY = "booking"
PAYMENT_KEY = "payment"
REFUND_KEY = "refund"

_MOST_WORDS = 100
_LENGTH_OF_CURRENCY = 3
_LONGEST_MARK = 100
# Source: the largest bigint of Postgres.
_MOST_CENTAVOS = 2**63 - 1


def read_dispute(dispute: Any) -> DisputeAnswer:
    """Read what Stripe's SDK answers with; a status that is new to us stops collection like an open one."""
    return DisputeAnswer(
        id=dispute.id,
        intent_id=id_of(dispute.payment_intent),
        status=_status_of(dispute.status),
        amount_minor=_centavos(dispute.amount),
        currency=_currency(dispute.currency),
        reason=str(dispute.reason)[:_MOST_WORDS],
        is_refundable=dispute.is_charge_refundable,
        due_by=_instant(dispute.evidence_details.due_by),
        opened_at=datetime.fromtimestamp(dispute.created, tz=UTC),
        movements=tuple(
            DisputeMovement(
                id=each.id, amount_minor=_centavos(each.amount), currency=_currency(each.currency)
            )
            for each in dispute.balance_transactions
        ),
    )


def _status_of(status: str) -> DisputeStatus:
    try:
        return DisputeStatus(status)
    except ValueError:
        return DisputeStatus.OTHER


def _centavos(amount: object) -> int:
    """Return a sum as it is: one that is no whole number, or has no place in the ledger, cannot be read."""
    if type(amount) is not int or abs(amount) > _MOST_CENTAVOS:
        raise ValueError("a sum that is no number of centavos")
    return amount


def _currency(code: object) -> str:
    """Return in what a sum is: one of which nobody knows that cannot be read."""
    if not isinstance(code, str) or len(code) != _LENGTH_OF_CURRENCY:
        raise ValueError("a sum without a currency")
    return code


def _instant(seconds: int | None) -> datetime | None:
    """Source: Stripe's ``due_by`` is 0 where the bank takes no answer."""
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None


def read_intent(intent: Any) -> Intent:
    """Read what Stripe's SDK answers with; of money that was taken, how much was."""
    error, status = intent.last_payment_error, IntentStatus(intent.status)
    return Intent(
        id=intent.id,
        status=status,
        amount_minor=_centavos(intent.amount_received if status == IntentStatus.SUCCEEDED else intent.amount),
        currency=_currency(intent.currency),
        customer_id=id_of(intent.customer),
        payment_method_id=id_of(intent.payment_method),
        attempt_key=our_uuid(intent, ATTEMPT_KEY),
        decline_code=decline_code_of(error) if error else "",
        advice_code=advice_code_of(error),
        has_charge=intent.latest_charge is not None,
        marks=Marks(booking=our_key(intent, BOOKING_KEY), payment=our_key(intent, PAYMENT_KEY)),
    )


def decline_code_of(error: Any) -> str:
    return getattr(error, "decline_code", None) or getattr(error, "code", None) or "declined"


def advice_code_of(error: Any) -> str:
    return str(getattr(error, "advice_code", None) or "")[:40]


def read_session(session: Any) -> Session:
    return Session(
        id=session.id,
        status=SessionStatus(session.status or SessionStatus.OPEN),
        is_paid=session.payment_status == "paid",
        url=session.url or "",
        intent_id=id_of(session.payment_intent),
        attempt_key=our_uuid(session, ATTEMPT_KEY),
        customer_id=id_of(session.customer),
        marks=Marks(booking=our_key(session, BOOKING_KEY), payment=our_key(session, PAYMENT_KEY)),
    )


def read_refund(refund: Any) -> RefundAnswer:
    return RefundAnswer(
        id=refund.id,
        intent_id=id_of(refund.payment_intent),
        status=RefundStatus(refund.status or RefundStatus.PENDING),
        amount_minor=_centavos(refund.amount),
        currency=_currency(refund.currency),
        refund_key=our_uuid(refund, REFUND_KEY),
        failure=getattr(refund, "failure_reason", None) or "",
    )


def service_of(api: Any, kind: str) -> Any:
    """Return the part of Stripe's SDK that reads objects of a kind which thin events name.

    Raises:
        UnknownKind: events about such objects are not applied.
    """
    if kind not in _SERVICES:
        raise UnknownKind(kind)
    return attrgetter(_SERVICES[kind])(api)


_SERVICES = {
    "payment_intent": "payment_intents",
    "checkout.session": "checkout.sessions",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
}


def id_of(reference: Any) -> str:
    """Stripe answers with an id or, expanded, with the object."""
    if not reference:
        return ""
    return reference if isinstance(reference, str) else str(reference.id)


def our_key(stripe_object: Any, name: str) -> str:
    """Return the key that we put into the metadata of everything we create, or what somebody wrote there."""
    metadata = stripe_object.to_dict().get("metadata") or {}
    text = str(metadata.get(name, ""))
    return text if len(text) <= _LONGEST_MARK and text.isprintable() else ""


def our_uuid(stripe_object: Any, name: str) -> str:
    """Return a key of ours that is a UUID; what others wrote under the same name is none of ours."""
    text = our_key(stripe_object, name)
    try:
        return str(UUID(text))
    except ValueError:
        return ""
