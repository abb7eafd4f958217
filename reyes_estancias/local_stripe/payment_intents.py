"""Payment intents: create, retrieve, list, confirm, cancel."""

from __future__ import annotations

from reyes_estancias.local_stripe import payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.charging import attempt_charge, finish_authentication
from reyes_estancias.local_stripe.errors import Document, ParameterMissing, ParameterRefused, UnexpectedState
from reyes_estancias.local_stripe.listing import list_page

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (*CONFIRMABLE, "requires_capture", "processing")
MINIMUM_AMOUNTS = {"mxn": 1000, "usd": 50}
MAXIMUM_AMOUNT = 99_999_999


def create(call: Call) -> Document:
    params = call.params
    check_amount(params["amount"], params["currency"], param="amount")
    if "off_session" in params and not params.get("confirm"):
        raise ParameterRefused(
            "You may only pass `off_session` together with `confirm=true`.", param="off_session"
        )
    if params.get("confirm") and "payment_method" not in params:
        raise ParameterMissing("payment_method")
    intent = _create_from(call)
    call.save(intent)
    call.emit("payment_intent.created", intent)
    if params.get("confirm"):
        _confirm(call, intent)
    return intent


def retrieve(call: Call) -> Document:
    return call.find("payment_intent", call.ids[0], param="intent")


def list_all(call: Call) -> Document:
    check_customer_filter(call)
    rows = call.store.newest_first("payment_intent")
    return list_page(call, rows, url="/v1/payment_intents", filters=("customer",))


def check_customer_filter(call: Call) -> None:
    """Refuse to list for a customer who never was; one who was deleted keeps what was made for them."""
    if "customer" in call.params:
        call.find("customer", call.params["customer"], param="customer")


def confirm(call: Call) -> Document:
    intent = retrieve(call)
    _check_is_not_checkouts(call, intent, verb="confirm")
    if intent["status"] == "succeeded":
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
            "confirmed.",
        )
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected(
            intent,
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be confirmed: {', '.join(CONFIRMABLE)}.",
        )
    _confirm(call, intent)
    return intent


def cancel(call: Call) -> Document:
    intent = retrieve(call)
    _check_is_not_checkouts(call, intent, verb="cancel")
    if intent["status"] not in CANCELABLE:
        raise _unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
        )
    cancel_intent(call, intent, reason=call.params.get("cancellation_reason"))
    return intent


def cancel_intent(call: Call, intent: Document, *, reason: str | None) -> None:
    """End an intent that took no money: it never will."""
    intent |= {
        "canceled_at": call.now,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    call.save(intent)
    call.emit("payment_intent.canceled", intent)


def authenticate(call: Call, intent_id: str, *, is_authorized: bool) -> Document:
    """Carry the guest's answer to 3-D Secure into the intent.

    Raises:
        UnexpectedState: the intent waits for no answer.
        CardRefused: the guest refused, or the bank declined afterwards.
    """
    intent = call.find("payment_intent", intent_id)
    if intent["status"] != "requires_action":
        raise _unexpected(
            intent, f"This PaymentIntent has a status of {intent['status']}: it awaits no 3-D Secure."
        )
    finish_authentication(call, intent, is_authorized=is_authorized)
    return intent


def check_amount(amount: int, currency: str, *, param: str) -> None:
    """Refuse what no card may be charged. Source: docs.stripe.com/currencies, minimum and maximum amounts."""
    minimum = MINIMUM_AMOUNTS.get(currency, 50)
    if amount < minimum:
        message = f"Amount must be at least ${minimum / 100:.2f} {currency}"
        raise ParameterRefused(message, param=param, code="amount_too_small")
    if amount > MAXIMUM_AMOUNT:
        message = f"Amount must be no more than ${MAXIMUM_AMOUNT / 100:,.2f} {currency}"
        raise ParameterRefused(message, param=param, code="amount_too_large")


def _confirm(call: Call, intent: Document) -> None:
    params = call.params
    names = ("receipt_email", "setup_future_usage")
    changes: Document = {name: params[name] for name in names if name in params}
    is_off_session = params.get("off_session", False)
    if is_off_session and (intent | changes)["setup_future_usage"] is not None:
        raise UnexpectedState(
            "You cannot confirm with the `off_session` parameter when `setup_future_usage` is also set "
            "on the PaymentIntent. The customer needs to be on-session to perform the steps which may be "
            "required to set up the PaymentMethod for future usage.",
            param="off_session",
        )
    method = _find_method(call, intent)
    intent |= changes
    attempt_charge(
        call,
        intent,
        method,
        is_off_session=is_off_session,
        refuses_action=params.get("error_on_requires_action", False),
        return_url=params.get("return_url"),
    )


def _find_method(call: Call, intent: Document) -> Document:
    method_id = call.params.get("payment_method") or intent["payment_method"]
    if method_id is None:
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method or ConfirmationToken.",
        )
    return payment_methods.find_usable(call, method_id, intent["customer"])


def _check_is_not_checkouts(call: Call, intent: Document, *, verb: str) -> None:
    if call.store.get("checkout_intents", intent["id"]) is not None:
        raise _unexpected(
            intent,
            f"You cannot {verb} this PaymentIntent because it was created by Checkout. "
            "To cancel it, expire the Checkout Session instead.",
        )


def _unexpected(intent: Document, message: str) -> UnexpectedState:
    return UnexpectedState(message, code="payment_intent_unexpected_state", payment_intent=intent)


def _create_from(call: Call) -> Document:
    params = call.params
    if customer_id := params.get("customer"):
        call.find_customer(customer_id)
    method_id = params.get("payment_method")
    method = payment_methods.find_usable(call, method_id, customer_id) if method_id else None
    given = ("capture_method", "confirmation_method", "description", "metadata", "receipt_email")
    more = ("setup_future_usage", "statement_descriptor_suffix", "allowed_payment_method_types")
    return blank(call, amount=params["amount"], currency=params["currency"]) | {
        **{name: params[name] for name in given + more if name in params},
        "automatic_payment_methods": _automatic_methods(params),
        "customer": customer_id,
        "payment_method": method["id"] if method else None,
        "status": "requires_confirmation" if method else "requires_payment_method",
    }


def _automatic_methods(params: Document) -> Document | None:
    if "allowed_payment_method_types" in params:
        return None
    asked: Document = params.get("automatic_payment_methods", {})
    return {"allow_redirects": "always", "enabled": True} | asked


def blank(call: Call, *, amount: int, currency: str) -> Document:
    """Return a new intent for an amount, not stored yet."""
    intent_id = call.store.next_id("pi_")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{call.store.next_id('')}",
        "confirmation_method": "automatic",
        "created": call.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
