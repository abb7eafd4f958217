"""Confirming a payment intent: ask the bank, and bring the intent to the state that follows."""

from __future__ import annotations

from reyes_estancias.local_stripe import charges, disputes, payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    GENERIC,
    Decline,
    Presence,
    Settlement,
    Verdict,
    judge_charge,
)
from reyes_estancias.local_stripe.errors import CardRefused, Document

SETTLES_AFTER_SECONDS = 2 * 24 * 3600


def attempt_charge(
    call: Call,
    intent: Document,
    method: Document,
    *,
    is_off_session: bool,
    is_authenticated: bool = False,
    refuses_action: bool = False,
    return_url: str | None = None,
) -> None:
    """Charge the intent's amount to a card, once.

    The intent ends as ``succeeded``, as ``processing`` when its money takes its time, or as
    ``requires_action`` while the guest is asked for 3-D Secure.

    Raises:
        CardRefused: the bank refused; the intent is back at ``requires_payment_method``.
    """
    card = payment_methods.card_of(call, method)
    record = payment_methods.bank_record(call, method_id=method["id"])
    presence = Presence(
        is_off_session=is_off_session,
        is_authenticated=is_authenticated,
        is_set_up=record["is_set_up"],
        is_saved=method["customer"] is not None,
    )
    match judge_charge(card, presence):
        case Verdict.APPROVED if card.settles is not Settlement.AT_ONCE:
            _process(call, intent, method)
        case Verdict.APPROVED:
            _succeed(call, intent, method)
        case Verdict.DECLINED:
            raise refuse(call, intent, method, card.decline)
        case Verdict.NEEDS_AUTHENTICATION if is_off_session or refuses_action:
            raise refuse(call, intent, method, AUTHENTICATION_REQUIRED)
        case Verdict.NEEDS_AUTHENTICATION:
            _require_action(call, intent, method, return_url)


def finish_authentication(call: Call, intent: Document, *, is_authorized: bool) -> None:
    """Go on after the guest's answer to 3-D Secure.

    Raises:
        CardRefused: the guest refused, or the bank declined afterwards.
    """
    method = payment_methods.find(call, intent["payment_method"])
    if not is_authorized:
        raise refuse(call, intent, method, AUTHENTICATION_FAILED, is_charge_made=False)
    attempt_charge(call, intent, method, is_off_session=False, is_authenticated=True)


def settle(call: Call, intent: Document) -> bool:
    """Bring an intent that is ``processing`` to its end. Returns whether its money came."""
    method = payment_methods.find(call, intent["payment_method"])
    if payment_methods.card_of(call, method).settles is Settlement.NEVER:
        refuse(call, intent, method, GENERIC)
        return False
    _succeed(call, intent, method)
    return True


def _process(call: Call, intent: Document, method: Document) -> None:
    intent |= {
        "last_payment_error": None,
        "next_action": None,
        "payment_method": method["id"],
        "status": "processing",
    }
    call.save(intent)
    due = {"id": intent["id"], "due": call.now + SETTLES_AFTER_SECONDS}
    call.store.put("waiting_charges", intent["id"], due)
    call.emit("payment_intent.processing", intent)


def _succeed(call: Call, intent: Document, method: Document) -> None:
    charge = charges.take_money(call, intent, method)
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": method["id"],
        "status": "succeeded",
    }
    call.save(intent)
    _keep_for_later(call, intent, method)
    call.emit("payment_intent.succeeded", intent)
    disputes.open_as_the_card_does(call, charge["id"], payment_methods.card_of(call, method))


def _keep_for_later(call: Call, intent: Document, method: Document) -> None:
    if intent["setup_future_usage"] is None:
        return
    if intent["setup_future_usage"] == "off_session":
        payment_methods.mark_set_up(call, method)
    if intent["customer"] is not None:
        payment_methods.claim(call, method, intent["customer"])


def refuse(
    call: Call, intent: Document, method: Document, decline: Decline, *, is_charge_made: bool = True
) -> CardRefused:
    """Bring the intent back to where it takes another card, and return the error that says why."""
    charge = charges.record_refusal(call, intent, method, decline) if is_charge_made else None
    error: Document = {
        "code": decline.code,
        "decline_code": decline.decline_code,
        "advice_code": decline.advice_code,
        "charge": charge["id"] if charge else None,
        "doc_url": f"https://docs.stripe.com/error-codes/{decline.code.replace('_', '-')}",
        "payment_method": method,
    }
    known = {name: value for name, value in error.items() if value is not None}
    intent |= {
        "last_payment_error": known | {"message": decline.message, "type": "card_error"},
        "latest_charge": charge["id"] if charge else intent["latest_charge"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    call.save(intent)
    call.emit("payment_intent.payment_failed", intent)
    del known["code"]
    return CardRefused(decline.message, code=decline.code, payment_intent=intent, **known)


def _require_action(call: Call, intent: Document, method: Document, return_url: str | None) -> None:
    intent |= {
        "next_action": next_action(call, intent["id"], return_url),
        "payment_method": method["id"],
        "status": "requires_action",
    }
    call.save(intent)
    call.emit("payment_intent.requires_action", intent)


def next_action(call: Call, intent_id: str, return_url: str | None) -> Document:
    """Return where the guest answers 3-D Secure: a page of ours, or without a return URL Stripe's script."""
    if return_url is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    page = f"{call.base_url}/authenticate/{intent_id}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
