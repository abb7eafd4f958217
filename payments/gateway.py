"""What the site needs of a payment provider, and the types of its answers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from payments.policies import DisputeStatus, IntentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What we write at Stripe on whatever takes money, so that it can tell us should we forget.

    Attributes:
        booking: the booking's public id.
        payment: the payment by its kind and number, as ``balance:1``; ids may be given out again.
    """

    booking: str = ""
    payment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A PaymentIntent as Stripe has it now.

    Attributes:
        attempt_key: the key of the attempt it was made for, from its metadata; empty when it is not ours.
        decline_code: the bank's last word, empty when there was none.
        has_charge: whether a charge was ever tried on it, whatever became of that.
        marks: which booking and payment it was made for, from its metadata.
    """

    id: str
    status: IntentStatus
    amount_minor: int
    currency: str
    customer_id: str
    payment_method_id: str
    attempt_key: str
    decline_code: str = ""
    advice_code: str = ""
    has_charge: bool = False
    marks: Marks = Marks()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRequest:
    """An off-session PaymentIntent to be created, not yet confirmed."""

    attempt_key: str
    marks: Marks
    amount_minor: int
    currency: str
    customer_id: str
    payment_method_id: str
    description: str


class SessionStatus(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A Checkout Session as Stripe has it now; ``intent_id`` is empty until the guest pays."""

    id: str
    status: SessionStatus
    is_paid: bool
    url: str
    intent_id: str
    attempt_key: str
    customer_id: str = ""
    marks: Marks = Marks()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """A Checkout Session to be opened; it saves the card for later charges when ``saves_card``."""

    attempt_key: str
    marks: Marks
    amount_minor: int
    currency: str
    product_name: str
    customer_id: str
    guest_email: str
    success_url: str
    cancel_url: str
    expires_at: datetime
    saves_card: bool


class RefundStatus(StrEnum):
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """A refund as Stripe has it now."""

    id: str
    intent_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    refund_key: str
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeMovement:
    """Money that a dispute took (negative) or gave back, under the id that Stripe books it by.

    It is in the currency of the account's balance, which need not be that of the charge.
    """

    id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAnswer:
    """A dispute as Stripe has it now.

    Attributes:
        is_refundable: the charge can still be refunded, as during an inquiry.
        due_by: until when evidence is taken, ``None`` when none is.
    """

    id: str
    intent_id: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    reason: str
    is_refundable: bool
    due_by: datetime | None
    opened_at: datetime
    movements: tuple[DisputeMovement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that Stripe tells for certain: a webhook whose signature was verified, or one of its list.

    Attributes:
        problem: why it cannot be applied, empty when it can.
        body: as it came, when ``payload`` does not hold all of it.
    """

    id: str
    type: str
    object_id: str
    api_version: str
    created_at: datetime
    payload: dict[str, object]
    problem: str = ""
    body: bytes | None = None


class Gateway(Protocol):
    """The payment provider.

    Every call may raise a ``TransientFault``, ``GatewayRefused``, ``RequestRejected`` or ``KeyReused``.
    """

    def create_intent(self, request: IntentRequest) -> Intent:
        """Create an intent that cannot take money yet; repeating the request returns the same one.

        Raises:
            ObjectMissing: the customer or card is gone at Stripe.
            CardDeclined: the card is refused already.
        """

    def retrieve_intent(self, intent_id: str) -> Intent:
        """Return the intent as it is now."""

    def confirm_intent(self, *, intent_id: str, attempt_key: str, confirm_n: int = 1) -> Intent:
        """Take the money, off-session; ``confirm_n`` numbers the keys, as one may replay a fault.

        Raises:
            CardDeclined: it was not taken, and the intent cannot take it without another confirmation.
            StateConflict: the intent is not waiting for a confirmation.
        """

    def cancel_intent(self, *, intent_id: str, attempt_key: str) -> Intent:
        """Make sure that an intent never takes money.

        Raises:
            StateConflict: it has an end already.
        """

    def create_session(self, request: SessionRequest) -> Session:
        """Open a payment page; repeating the request returns the same one."""

    def retrieve_session(self, session_id: str) -> Session:
        """Return the session as it is now."""

    def expire_session(self, session_id: str) -> Session:
        """Close a payment page.

        Raises:
            StateConflict: it is paid or closed already.
        """

    def create_refund(self, *, intent_id: str, amount_minor: int, refund_key: str) -> RefundAnswer:
        """Pay money back; repeating the request returns the same refund.

        Raises:
            StateConflict: Stripe has nothing left to refund on this intent.
            ChargeDisputed: a bank has taken the money back, or may.
            RequestRejected: it is more than is left on this intent.
        """

    def find_refund(self, *, intent_id: str, refund_key: str) -> RefundAnswer | None:
        """Return the refund made under a key of ours, or ``None``."""

    def list_intents(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Intent]:
        """Yield every intent made since then, or for a customer, newest first, whoever made it.

        Raises:
            ObjectMissing: Stripe knows no such customer.
        """

    def list_open_pages(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Session]:
        """Yield every payment page on which somebody can still pay, newest first, whoever opened it."""

    def has_deleted_customer(self, customer_id: str) -> bool:
        """Say whether somebody deleted a customer at Stripe; one who never was there was not deleted."""

    def read_account(self) -> str:
        """Return the id of the account that our key belongs to."""

    def retrieve_refund(self, refund_id: str) -> RefundAnswer:
        """Return the refund as it is now."""

    def find_refunds(self, intent_id: str) -> Iterator[RefundAnswer]:
        """Yield every refund of an intent, whoever made it."""

    def retrieve_dispute(self, dispute_id: str) -> DisputeAnswer:
        """Return the dispute as it is now."""

    def find_disputes(self, intent_id: str) -> Iterator[DisputeAnswer]:
        """Yield every dispute of an intent."""

    def list_disputes(self, *, since: datetime) -> Iterator[DisputeAnswer]:
        """Yield every dispute opened since then, newest first."""

    def list_refunds(self, *, since: datetime) -> Iterator[RefundAnswer]:
        """Yield every refund made since then, newest first, whoever made it."""

    def list_events(self, *, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield every event of a span, newest first; Stripe keeps them for thirty days."""

    def read_object(self, *, kind: str, object_id: str) -> dict[str, Any]:
        """Return what a thin event names, in the form in which other events hold it.

        Raises:
            ObjectMissing: there is none.
            UnknownKind: objects of this kind are not read.
        """

    def cause_events(self) -> str:
        """Make Stripe tell of something that can take no money, and return the id of that."""

    def read_event(self, *, payload: bytes, signature: str) -> Event:
        """Verify a webhook, and read it as far as it can be.

        Raises:
            InvalidSignature: Stripe did not send this, or too long ago.
        """


@functools.cache
def _build_gateway(path: str) -> Gateway:
    return cast(Gateway, import_string(path).from_settings())


def get_gateway() -> Gateway:
    """Return the gateway that ``settings.PAYMENTS_GATEWAY`` names, built once per process."""
    return _build_gateway(settings.PAYMENTS_GATEWAY)
