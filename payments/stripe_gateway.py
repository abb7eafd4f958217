"""Stripe, through its own SDK: the only file that imports it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, TypeVar

import stripe
from django.conf import settings

from payments.bounded_http import BoundedSession
from payments.event_reading import read_event
from payments.exceptions import (
    AnswerUnreadable,
    CardDeclined,
    ChargeDisputed,
    GatewayBusy,
    GatewayRefused,
    InvalidSignature,
    KeyReused,
    ObjectMissing,
    OutcomeUnknown,
    PayerEmailRefused,
    RequestRejected,
    StateConflict,
)
from payments.gateway import (
    DisputeAnswer,
    Event,
    Intent,
    IntentRequest,
    RefundAnswer,
    Session,
    SessionRequest,
)
from payments.policies import CHARGE_DISPUTED
from payments.stripe_readings import (
    REFUND_KEY,
    advice_code_of,
    decline_code_of,
    read_dispute,
    read_intent,
    read_refund,
    read_session,
    service_of,
)
from payments.stripe_requests import metadata_of, page_of, session_params
from payments.webhook_signature import is_signed

TIMEOUT = timedelta(seconds=30)
# A page of a hundred objects is well below one million.
MOST_BYTES = 16 * 1024 * 1024
# Inside one call the SDK repeats under the same idempotency key, so a second try cannot charge twice.
NETWORK_RETRIES = 1
# Source: https://docs.stripe.com/webhooks#replay-attacks, the default of Stripe's own SDKs.
SIGNATURE_TOLERANCE = timedelta(seconds=300)

_Read = TypeVar("_Read")

# What reading an answer raises: a field is missing, has another type, is out of range or nested too deeply.
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError)

# Without customer and card, and cancelled at once: nothing can ever be charged by it.
_NO_PAYMENT: Any = {"amount": 10_00, "currency": "mxn", "description": "verify_setup"}

_STATE_CODES = frozenset(
    {
        "payment_intent_unexpected_state",
        "charge_already_refunded",
    }
)
_PAYER_PARAMS = frozenset({"customer", "payment_method"})
_DISPUTE_CODES = frozenset({CHARGE_DISPUTED, "refund_disputed_payment"})
# Our account or key is what cannot be used: no guest's payment fails for that.
_ACCOUNT_CODES = frozenset(
    {
        "account_invalid",
        "api_key_expired",
        "livemode_mismatch",
        "platform_api_key_expired",
        "secret_key_required",
        "testmode_charges_only",
    }
)


def make_http_client(*, within: timedelta = TIMEOUT, most_bytes: int = MOST_BYTES) -> stripe.RequestsClient:
    """Return a client that waits neither for ever nor for an answer of any size."""
    session: Any = BoundedSession(within=within, most_bytes=most_bytes)
    return stripe.RequestsClient(timeout=within.total_seconds(), session=session)


class StripeGateway:
    """Speaks to Stripe, or to whatever answers at ``STRIPE_API_BASE``."""

    def __init__(self, *, client: stripe.StripeClient, webhook_secrets: list[str]) -> None:
        self._api = client.v1
        self._webhook_secrets = webhook_secrets

    @classmethod
    def from_settings(cls) -> StripeGateway:
        client = stripe.StripeClient(
            settings.STRIPE_SECRET_KEY,
            base_addresses={"api": settings.STRIPE_API_BASE},
            max_network_retries=NETWORK_RETRIES,
            http_client=make_http_client(),
        )
        return cls(client=client, webhook_secrets=settings.STRIPE_WEBHOOK_SECRETS)

    def create_intent(self, request: IntentRequest) -> Intent:
        with _translating("create intent"):
            return read_intent(
                self._api.payment_intents.create(
                    {
                        "amount": request.amount_minor,
                        "currency": request.currency,
                        "customer": request.customer_id,
                        "payment_method": request.payment_method_id,
                        "allowed_payment_method_types": ["card"],
                        "description": request.description,
                        "metadata": metadata_of(request),
                    },
                    {"idempotency_key": f"{request.attempt_key}:create"},
                )
            )

    def retrieve_intent(self, intent_id: str) -> Intent:
        with _translating("retrieve intent"):
            return read_intent(self._api.payment_intents.retrieve(intent_id))

    def confirm_intent(self, *, intent_id: str, attempt_key: str, confirm_n: int = 1) -> Intent:
        key = f"{attempt_key}:confirm" + (f":{confirm_n}" if confirm_n > 1 else "")
        with _translating("confirm intent"):
            return read_intent(
                self._api.payment_intents.confirm(intent_id, {"off_session": True}, {"idempotency_key": key})
            )

    def cancel_intent(self, *, intent_id: str, attempt_key: str) -> Intent:
        with _translating("cancel intent"):
            return read_intent(
                self._api.payment_intents.cancel(intent_id, {}, {"idempotency_key": f"{attempt_key}:cancel"})
            )

    def create_session(self, request: SessionRequest) -> Session:
        with _translating("create session"):
            return read_session(
                self._api.checkout.sessions.create(
                    session_params(request), {"idempotency_key": f"{request.attempt_key}:create"}
                )
            )

    def retrieve_session(self, session_id: str) -> Session:
        with _translating("retrieve session"):
            return read_session(self._api.checkout.sessions.retrieve(session_id))

    def expire_session(self, session_id: str) -> Session:
        with _translating("expire session"):
            try:
                return read_session(self._api.checkout.sessions.expire(session_id))
            except stripe.InvalidRequestError as error:
                if error.code == "resource_missing":
                    raise
                # Source: Stripe refuses to expire a session that is not open, without a code of its own.
                raise _fault(StateConflict)(error, "expire session") from error

    def create_refund(self, *, intent_id: str, amount_minor: int, refund_key: str) -> RefundAnswer:
        with _translating("create refund"):
            return read_refund(
                self._api.refunds.create(
                    {
                        "payment_intent": intent_id,
                        "amount": amount_minor,
                        "metadata": {REFUND_KEY: refund_key},
                    },
                    {"idempotency_key": refund_key},
                )
            )

    def find_refund(self, *, intent_id: str, refund_key: str) -> RefundAnswer | None:
        refunds = self.find_refunds(intent_id)
        return next((refund for refund in refunds if refund.refund_key == refund_key), None)

    def retrieve_refund(self, refund_id: str) -> RefundAnswer:
        with _translating("retrieve refund"):
            return read_refund(self._api.refunds.retrieve(refund_id))

    def find_refunds(self, intent_id: str) -> Iterator[RefundAnswer]:
        with _translating("list refunds"):
            listed = self._api.refunds.list({"payment_intent": intent_id, "limit": 100})
            yield from _read_each(listed.auto_paging_iter(), read_refund, "list refunds")

    def retrieve_dispute(self, dispute_id: str) -> DisputeAnswer:
        with _translating("retrieve dispute"):
            return read_dispute(self._api.disputes.retrieve(dispute_id))

    def find_disputes(self, intent_id: str) -> Iterator[DisputeAnswer]:
        with _translating("list disputes"):
            listed = self._api.disputes.list({"payment_intent": intent_id, "limit": 100})
            yield from _read_each(listed.auto_paging_iter(), read_dispute, "list disputes")

    def list_disputes(self, *, since: datetime) -> Iterator[DisputeAnswer]:
        with _translating("list disputes"):
            created = int(since.timestamp())
            listed = self._api.disputes.list({"created": {"gte": created}, "limit": 100})
            yield from _read_each(listed.auto_paging_iter(), read_dispute, "list disputes")

    def list_intents(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Intent]:
        with _translating("list intents"):
            listed = self._api.payment_intents.list(page_of(since, customer_id))
            yield from _read_each(listed.auto_paging_iter(), read_intent, "list intents")

    def list_open_pages(self, *, since: datetime | None = None, customer_id: str = "") -> Iterator[Session]:
        with _translating("list sessions"):
            listed = self._api.checkout.sessions.list(page_of(since, customer_id, status="open"))
            yield from _read_each(listed.auto_paging_iter(), read_session, "list sessions")

    def has_deleted_customer(self, customer_id: str) -> bool:
        try:
            with _translating("retrieve customer"):
                customer = self._api.customers.retrieve(customer_id)
        except ObjectMissing:
            return False
        return bool(getattr(customer, "deleted", False))

    def read_account(self) -> str:
        with _translating("read account"):
            return self._api.accounts.retrieve_current().id

    def list_refunds(self, *, since: datetime) -> Iterator[RefundAnswer]:
        with _translating("list refunds"):
            created = int(since.timestamp())
            listed = self._api.refunds.list({"created": {"gte": created}, "limit": 100})
            yield from _read_each(listed.auto_paging_iter(), read_refund, "list refunds")

    def list_events(self, *, since: datetime, until: datetime) -> Iterator[Event]:
        with _translating("list events"):
            span: Any = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
            for each in self._api.events.list({"created": span, "limit": 100}).auto_paging_iter():
                yield read_event(json.dumps(each.to_dict(for_json=True)).encode(), now=until)

    def read_object(self, *, kind: str, object_id: str) -> dict[str, Any]:
        service = service_of(self._api, kind)
        with _translating("retrieve what an event names"):
            found: dict[str, Any] = service.retrieve(object_id).to_dict(for_json=True)
            return found

    def cause_events(self) -> str:
        with _translating("cause events"):
            intent = self._api.payment_intents.create(_NO_PAYMENT)
            return self._api.payment_intents.cancel(intent.id).id

    def read_event(self, *, payload: bytes, signature: str) -> Event:
        if not any(_is_signed(payload, signature, secret) for secret in self._webhook_secrets):
            raise InvalidSignature("no configured secret verifies this payload")
        return read_event(payload, now=datetime.now(UTC))


def _is_signed(payload: bytes, signature: str, secret: str) -> bool:
    return is_signed(payload, header=signature, secret=secret, tolerance=SIGNATURE_TOLERANCE, now=time.time())


@contextmanager
def _translating(operation: str) -> Iterator[None]:
    """Turn Stripe's errors into ours by the table below, and an answer that cannot be read into doubt.

    An answer whose fields are missing or have another type is no answer: what it would have said is unknown.
    """
    try:
        yield
    except stripe.StripeError as error:
        _raise_ours(error, operation)
    except _UNREADABLE as error:
        raise _unreadable(operation, error) from error


def _unreadable(operation: str, error: Exception) -> AnswerUnreadable:
    reason = f"the answer cannot be read, {type(error).__name__}: {error}"
    return AnswerUnreadable(operation=operation, detail=reason[:200])


def _read_each(listed: Iterable[Any], read: Callable[[Any], _Read], operation: str) -> Iterator[_Read]:
    """Yield what can be read of a list, and only then say that something of it cannot.

    Raises:
        OutcomeUnknown: what was looked for may be what cannot be read.
    """
    unreadable: Exception | None = None
    for row in listed:
        try:
            found = read(row)
        except _UNREADABLE as error:
            unreadable = error
        else:
            yield found
    if unreadable is not None:
        raise _unreadable(operation, unreadable) from unreadable


def _raise_ours(error: stripe.StripeError, operation: str) -> NoReturn:
    for row in _ERRORS:
        if row.matches(error):
            raise row.build(error, operation) from error
    raise AssertionError("the last row of the table matches every error")


@dataclass(frozen=True, slots=True)
class _ErrorRow:
    """Which of Stripe's errors become which of ours."""

    matches: Callable[[stripe.StripeError], bool]
    build: Callable[[stripe.StripeError, str], Exception]


def _is(kind: type[stripe.StripeError]) -> Callable[[stripe.StripeError], bool]:
    return lambda error: isinstance(error, kind)


def _fault(kind: Callable[..., Exception]) -> Callable[[stripe.StripeError, str], Exception]:
    return lambda error, operation: kind(
        operation=operation,
        detail=f"{type(error).__name__} {error.code or ''}".strip(),
        request_id=error.request_id,
    )


def _declined(error: stripe.StripeError, operation: str) -> Exception:
    said = error.error
    code = decline_code_of(said) if said else error.code or "declined"
    return CardDeclined(code=code, advice=advice_code_of(said))


def _missing(error: stripe.StripeError, operation: str) -> Exception:
    return ObjectMissing(
        operation=operation,
        detail="no such object at Stripe, or one that cannot be used any more",
        param=getattr(error, "param", None) or "",
        request_id=error.request_id,
    )


# First match wins. Declined / object or state / refused / our bug / retry safely / outcome unknown.
_ERRORS = (
    _ErrorRow(_is(stripe.CardError), _declined),
    _ErrorRow(lambda e: e.code in _ACCOUNT_CODES, _fault(GatewayRefused)),
    _ErrorRow(lambda e: isinstance(e, stripe.InvalidRequestError) and e.code == "resource_missing", _missing),
    # A card that was detached is refused without a code of its own.
    _ErrorRow(lambda e: isinstance(e, stripe.InvalidRequestError) and e.param in _PAYER_PARAMS, _missing),
    _ErrorRow(
        lambda e: isinstance(e, stripe.InvalidRequestError) and e.code in _DISPUTE_CODES,
        _fault(ChargeDisputed),
    ),
    _ErrorRow(
        lambda e: isinstance(e, stripe.InvalidRequestError) and e.code in _STATE_CODES, _fault(StateConflict)
    ),
    _ErrorRow(_is(stripe.AuthenticationError), _fault(GatewayRefused)),
    _ErrorRow(_is(stripe.PermissionError), _fault(GatewayRefused)),
    _ErrorRow(_is(stripe.IdempotencyError), _fault(KeyReused)),
    _ErrorRow(
        lambda e: isinstance(e, stripe.InvalidRequestError) and e.param == "customer_email",
        _fault(PayerEmailRefused),
    ),
    _ErrorRow(_is(stripe.InvalidRequestError), _fault(RequestRejected)),
    _ErrorRow(_is(stripe.RateLimitError), _fault(GatewayBusy)),
    _ErrorRow(lambda e: e.http_status == 409, _fault(GatewayBusy)),
    _ErrorRow(_is(stripe.APIConnectionError), _fault(OutcomeUnknown)),
    _ErrorRow(_is(stripe.StripeError), _fault(OutcomeUnknown)),
)
