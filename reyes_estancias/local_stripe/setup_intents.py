"""Setup intents: a card kept for later charges without charging it now."""

from __future__ import annotations

from reyes_estancias.local_stripe import payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import AUTHENTICATION_FAILED, Decline, Verdict, judge_setup
from reyes_estancias.local_stripe.charging import next_action
from reyes_estancias.local_stripe.errors import CardRefused, Document, ParameterMissing, UnexpectedState

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def create(call: Call) -> Document:
    params = call.params
    if params.get("confirm") and "payment_method" not in params:
        raise ParameterMissing("payment_method")
    setup = _create_from(call)
    call.save(setup)
    call.emit("setup_intent.created", setup)
    if params.get("confirm"):
        _confirm(call, setup)
    return setup


def retrieve(call: Call) -> Document:
    return call.find("setup_intent", call.ids[0], param="intent")


def confirm(call: Call) -> Document:
    setup = retrieve(call)
    if setup["status"] not in CONFIRMABLE:
        raise _unexpected(
            setup, f"You cannot confirm this SetupIntent because it has a status of {setup['status']}."
        )
    _confirm(call, setup)
    return setup


def authenticate(call: Call, setup_id: str, *, is_authorized: bool) -> Document:
    """Carry the guest's answer to 3-D Secure into the setup intent.

    Raises:
        UnexpectedState: it waits for no answer.
        CardRefused: the guest refused, or the bank declined afterwards.
    """
    setup = call.find("setup_intent", setup_id)
    if setup["status"] != "requires_action":
        raise _unexpected(
            setup, f"This SetupIntent has a status of {setup['status']}: it awaits no 3-D Secure."
        )
    method = payment_methods.find(call, setup["payment_method"])
    if not is_authorized:
        raise _refuse(call, setup, method, AUTHENTICATION_FAILED)
    _judge(call, setup, method, is_authenticated=True)
    return setup


def _confirm(call: Call, setup: Document) -> None:
    method_id = call.params.get("payment_method") or setup["payment_method"]
    if method_id is None:
        raise _unexpected(setup, "You cannot confirm this SetupIntent because it's missing a payment method.")
    method = payment_methods.find_usable(call, method_id, setup["customer"])
    _judge(call, setup, method, is_authenticated=False)


def _judge(call: Call, setup: Document, method: Document, *, is_authenticated: bool) -> None:
    card = payment_methods.card_of(call, method)
    match judge_setup(card, is_authenticated=is_authenticated):
        case Verdict.APPROVED:
            _succeed(call, setup, method)
        case Verdict.DECLINED:
            raise _refuse(call, setup, method, card.decline)
        case Verdict.NEEDS_AUTHENTICATION:
            _require_action(call, setup, method)


def _succeed(call: Call, setup: Document, method: Document) -> None:
    setup |= {
        "last_setup_error": None,
        "next_action": None,
        "payment_method": method["id"],
        "status": "succeeded",
    }
    call.save(setup)
    if setup["usage"] == "off_session":
        payment_methods.mark_set_up(call, method)
    if setup["customer"] is not None:
        payment_methods.claim(call, method, setup["customer"])
    call.emit("setup_intent.succeeded", setup)


def _require_action(call: Call, setup: Document, method: Document) -> None:
    action = next_action(call, setup["id"], call.params.get("return_url"))
    setup |= {"next_action": action, "payment_method": method["id"], "status": "requires_action"}
    call.save(setup)
    call.emit("setup_intent.requires_action", setup)


def _refuse(call: Call, setup: Document, method: Document, decline: Decline) -> CardRefused:
    details = {"decline_code": decline.decline_code, "payment_method": method}
    known = {name: value for name, value in details.items() if value is not None}
    error = known | {"code": decline.code, "message": decline.message, "type": "card_error"}
    setup |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.save(setup)
    call.emit("setup_intent.setup_failed", setup)
    return CardRefused(decline.message, code=decline.code, setup_intent=setup, **known)


def _unexpected(setup: Document, message: str) -> UnexpectedState:
    return UnexpectedState(message, code="setup_intent_unexpected_state", setup_intent=setup)


def _create_from(call: Call) -> Document:
    params = call.params
    if customer_id := params.get("customer"):
        call.find_customer(customer_id)
    method_id = params.get("payment_method")
    method = payment_methods.find_usable(call, method_id, customer_id) if method_id else None
    given = ("allowed_payment_method_types", "description", "metadata", "usage")
    automatic = (
        None if "allowed_payment_method_types" in params else {"allow_redirects": "always", "enabled": True}
    )
    return _blank(call) | {
        **{name: params[name] for name in given if name in params},
        "automatic_payment_methods": automatic,
        "customer": customer_id,
        "payment_method": method["id"] if method else None,
        "status": "requires_confirmation" if method else "requires_payment_method",
    }


def _blank(call: Call) -> Document:
    setup_id = call.store.next_id("seti_")
    return {
        "id": setup_id,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "cancellation_reason": None,
        "client_secret": f"{setup_id}_secret_{call.store.next_id('')}",
        "created": call.now,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "usage": "off_session",
    }
