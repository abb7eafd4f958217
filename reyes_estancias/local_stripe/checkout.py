"""Checkout Sessions: create, retrieve, list, expire, and a guest's attempt to pay one."""

from __future__ import annotations

from reyes_estancias.local_stripe import customers, payment_intents, payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import TestCard
from reyes_estancias.local_stripe.charging import attempt_charge, finish_authentication, settle
from reyes_estancias.local_stripe.checkout_shape import blank_session, build_line_items
from reyes_estancias.local_stripe.errors import (
    Document,
    ParameterRefused,
    ParametersExclusive,
    UnexpectedState,
)
from reyes_estancias.local_stripe.listing import list_page

SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 3600


def create(call: Call) -> Document:
    params = call.params
    _check(call)
    items = build_line_items(call, params["line_items"])
    total = sum(item["amount_total"] for item in items["data"])
    payment_intents.check_amount(total, items["data"][0]["currency"], param="line_items")
    session = blank_session(call, total=total, currency=items["data"][0]["currency"])
    call.store.put("line_items", session["id"], items)
    call.store.put("session_intents", session["id"], params.get("payment_intent_data", {}))
    return call.save(session)


def retrieve(call: Call) -> Document:
    return call.find("checkout.session", call.ids[0], param="session")


def list_all(call: Call) -> Document:
    payment_intents.check_customer_filter(call)
    rows = call.store.newest_first("checkout.session")
    return list_page(
        call, rows, url="/v1/checkout/sessions", filters=("customer", "payment_intent", "status")
    )


def list_line_items(call: Call) -> Document:
    session = retrieve(call)
    items = call.find("line_items", session["id"])
    return items | {"url": f"/v1/checkout/sessions/{session['id']}/line_items"}


def expire(call: Call) -> Document:
    session = retrieve(call)
    if session["status"] != "open":
        raise UnexpectedState(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
    expire_session(call, session)
    return session


def expire_due(call: Call) -> None:
    """Expire the open sessions whose time has come."""
    for open_session in call.store.rows("open_sessions"):
        if call.now >= open_session["expires_at"]:
            expire_session(call, call.find("checkout.session", open_session["id"]))


def expire_session(call: Call, session: Document) -> None:
    """Close an open session: nobody can pay it any more."""
    session |= {"status": "expired", "url": None}
    call.save(session)
    call.store.remove("open_sessions", session["id"])
    if session["payment_intent"] is not None:
        intent = call.find("payment_intent", session["payment_intent"])
        payment_intents.cancel_intent(call, intent, reason="expired")
    call.emit("checkout.session.expired", session)


def pay(call: Call, session: Document, card: TestCard, *, email: str | None, name: str | None) -> Document:
    """Let a guest pay an open session with a card, and return its payment intent.

    The intent is ``succeeded`` (the session is complete) or ``requires_action`` (3-D Secure comes next).

    Raises:
        CardRefused: the bank refused; the session stays open.
        UnexpectedState: the session is not open.
    """
    _check_is_open(session)
    _remember_guest(call, session, email=email, name=name)
    intent = _find_or_make_intent(call, session)
    details = {"email": session["customer_details"]["email"], "name": name}
    method = payment_methods.make(call, card, billing=details)
    attempt_charge(call, intent, method, is_off_session=False, return_url=session["success_url"])
    if intent["status"] in ("succeeded", "processing"):
        _complete(call, session, intent)
    return intent


def authenticate(call: Call, session: Document, *, is_authorized: bool) -> Document:
    """Carry the guest's answer to 3-D Secure into the session, and return its payment intent.

    Raises:
        CardRefused: the guest refused, or the bank declined afterwards; the session stays open.
        UnexpectedState: the session is not open, or awaits no answer.
    """
    _check_is_open(session)
    intent = call.store.get("payment_intent", session["payment_intent"] or "")
    if intent is None or intent["status"] != "requires_action":
        raise UnexpectedState("This Checkout Session awaits no 3-D Secure.")
    finish_authentication(call, intent, is_authorized=is_authorized)
    _complete(call, session, intent)
    return intent


def settle_due(call: Call) -> None:
    """Bring the charges that take their time to their end, and the sessions they were made on."""
    for waiting in call.store.rows("waiting_charges"):
        if call.now >= waiting["due"]:
            call.store.remove("waiting_charges", waiting["id"])
            has_paid = settle(call, call.find("payment_intent", waiting["id"]))
            _tell_of_settlement(call, waiting["id"], has_paid=has_paid)


def _tell_of_settlement(call: Call, intent_id: str, *, has_paid: bool) -> None:
    made_on = call.store.get("checkout_intents", intent_id)
    if made_on is None:
        return
    session = call.find("checkout.session", made_on["session"])
    if has_paid:
        session["payment_status"] = "paid"
        call.save(session)
    call.emit(f"checkout.session.async_payment_{'succeeded' if has_paid else 'failed'}", session)


def success_url(session: Document) -> str:
    """Return where the guest goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _check(call: Call) -> None:
    params = call.params
    if "customer" in params and "customer_email" in params:
        raise ParametersExclusive("customer", "customer_email")
    if "customer" in params and "customer_creation" in params:
        raise ParametersExclusive("customer", "customer_creation")
    if "customer" in params:
        call.find_customer(params["customer"])
    if len({item["price_data"]["currency"] for item in params["line_items"]}) != 1:
        raise ParameterRefused("All line items must have the same currency.", param="line_items")
    _check_expiry(params.get("expires_at"), call.now)


def _check_expiry(expires_at: int | None, now: int) -> None:
    if expires_at is None:
        return
    if expires_at - now < SHORTEST_SECONDS:
        message = "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation."
        raise ParameterRefused(message, param="expires_at")
    if expires_at - now > LONGEST_SECONDS:
        message = "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation."
        raise ParameterRefused(message, param="expires_at")


def _check_is_open(session: Document) -> None:
    if session["status"] != "open":
        raise UnexpectedState(
            f"This Checkout Session has a status of `{session['status']}`: nothing can be paid."
        )


def _remember_guest(call: Call, session: Document, *, email: str | None, name: str | None) -> None:
    session["customer_details"] = {
        "address": None,
        "business_name": None,
        "email": session["customer_email"] or email or (session["customer_details"] or {}).get("email"),
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    call.save(session)


def _find_or_make_intent(call: Call, session: Document) -> Document:
    """Stripe makes the intent when the guest first tries to pay, and keeps it for the next try."""
    if session["payment_intent"] is not None:
        return call.find("payment_intent", session["payment_intent"])
    if session["customer"] is None and session["customer_creation"] == "always":
        details = session["customer_details"]
        made = customers.create_from_checkout(call, email=details["email"], name=details["name"])
        session["customer"] = made["id"]
    data = call.find("session_intents", session["id"])
    intent = payment_intents.blank(call, amount=session["amount_total"], currency=session["currency"]) | data
    intent["customer"] = session["customer"]
    call.save(intent)
    call.store.put("checkout_intents", intent["id"], {"session": session["id"]})
    session["payment_intent"] = intent["id"]
    call.save(session)
    call.emit("payment_intent.created", intent)
    return intent


def _complete(call: Call, session: Document, intent: Document) -> None:
    is_paid = intent["status"] == "succeeded"
    session |= {"payment_status": "paid" if is_paid else "unpaid", "status": "complete", "url": None}
    call.save(session)
    call.store.remove("open_sessions", session["id"])
    call.emit("checkout.session.completed", session)
