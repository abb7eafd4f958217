"""Payment methods: cards that are charged, and the customers they are attached to."""

from __future__ import annotations

import hashlib

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import BY_TOKEN, CVC, DeclinesWhen, TestCard, UnknownCard, find_card
from reyes_estancias.local_stripe.errors import (
    CardRefused,
    Document,
    ParameterRefused,
    ResourceMissing,
    UnexpectedState,
)
from reyes_estancias.local_stripe.listing import list_page

NO_ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


def create(call: Call) -> Document:
    number = call.params["card"]["number"]
    method = make(
        call, card_by_number(number, param="card[number]"), billing=call.params.get("billing_details", {})
    )
    method["metadata"] = call.params.get("metadata", {})
    return call.save(method)


def retrieve(call: Call) -> Document:
    return find(call, call.ids[0], param="payment_method")


def attach(call: Call) -> Document:
    return attach_to(call, call.ids[0], call.params["customer"])


def detach(call: Call) -> Document:
    method = find(call, call.ids[0], param="payment_method")
    if method["customer"] is None:
        raise UnexpectedState(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    _detach(call, method)
    return method


def list_for_customer(call: Call) -> Document:
    customer_id = call.ids[0] if call.ids else call.params.get("customer")
    owned = (row for row in call.store.newest_first("payment_method") if row["customer"] == customer_id)
    rows = owned if customer_id else iter(())
    url = f"/v1/customers/{customer_id}/payment_methods" if call.ids else "/v1/payment_methods"
    return list_page(call, rows, url=url, filters=("type",))


def card_by_number(text: str, *, param: str) -> TestCard:
    """Return a test card.

    Raises:
        CardRefused: Stripe's test mode knows no such card.
    """
    try:
        return find_card(text)
    except UnknownCard:
        raise CardRefused("Your card number is incorrect.", code="incorrect_number", param=param) from None


def make(call: Call, card: TestCard, *, billing: Document | None = None) -> Document:
    """Make a payment method of a test card, attached to nobody."""
    method = _blank(call, card)
    method["billing_details"] |= billing or {}
    call.store.put("bank", method["id"], {"number": card.number, "is_set_up": False, "was_detached": False})
    return call.save(method)


def find(call: Call, method_id: str, *, param: str = "payment_method") -> Document:
    """Return a payment method; one of Stripe's ready ids (``pm_card_visa``) makes a new one.

    Raises:
        ResourceMissing: unknown.
    """
    if method_id in BY_TOKEN:
        return make(call, BY_TOKEN[method_id])
    method = call.store.get("payment_method", method_id)
    if method is None:
        status = 404 if method_id in call.ids else 400
        raise ResourceMissing(kind="PaymentMethod", id_=method_id, param=param, status=status)
    return method


def find_usable(call: Call, method_id: str, customer_id: str | None) -> Document:
    """Return a payment method that may be charged for this customer.

    Raises:
        ResourceMissing: unknown.
        UnexpectedState: it was detached, or is another customer's.
    """
    method = find(call, method_id)
    if bank_record(call, method_id=method["id"])["was_detached"]:
        raise UnexpectedState(
            "This PaymentMethod was previously used without being attached to a Customer or was detached "
            "from a Customer, and may not be used again.",
            param="payment_method",
        )
    if method["customer"] is not None and customer_id is None:
        raise ParameterRefused(
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. Please "
            "include the Customer in the `customer` parameter on the PaymentIntent.",
            param="customer",
        )
    if method["customer"] not in (None, customer_id):
        raise UnexpectedState(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method "
            "must be attached to the customer.",
            param="payment_method",
        )
    return method


def attach_to(call: Call, method_id: str, customer_id: str) -> Document:
    """Attach a card to a customer; the bank is asked first.

    Raises:
        CardRefused: the bank refuses the card altogether.
        UnexpectedState: it is another customer's, or was detached.
    """
    call.find_customer(customer_id)
    method = find_usable(call, method_id, customer_id)
    card = card_of(call, method)
    if card.declines is DeclinesWhen.ALWAYS:
        raise CardRefused(
            card.decline.message, code=card.decline.code, decline_code=card.decline.decline_code
        )
    return claim(call, method, customer_id)


def claim(call: Call, method: Document, customer_id: str) -> Document:
    """Record that a customer owns a card."""
    if method["customer"] != customer_id:
        method["customer"] = customer_id
        call.save(method)
        call.emit("payment_method.attached", method)
    return method


def detach_all(call: Call, customer_id: str) -> None:
    for method in call.store.rows("payment_method"):
        if method["customer"] == customer_id:
            _detach(call, method)


def _detach(call: Call, method: Document) -> None:
    method["customer"] = None
    call.save(method)
    _change_record(call, method, was_detached=True)
    call.emit("payment_method.detached", method)


def bank_record(call: Call, *, method_id: str) -> Document:
    """Return what only the bank knows of a card; Stripe's answers never show it."""
    return call.find("bank", method_id)


def card_of(call: Call, method: Document) -> TestCard:
    return find_card(bank_record(call, method_id=method["id"])["number"])


def mark_set_up(call: Call, method: Document) -> None:
    """Remember that the cardholder agreed to later charges."""
    _change_record(call, method, is_set_up=True)


def change_card(call: Call, method: Document, card: TestCard) -> None:
    """Let the bank treat a saved payment method like another test card from now on."""
    _change_record(call, method, number=card.number)


def _change_record(call: Call, method: Document, **changes: object) -> None:
    record = bank_record(call, method_id=method["id"])
    call.store.put("bank", method["id"], record | changes)


def check_cvc(text: str) -> None:
    """Raises CardRefused when a security code has no three or four digits."""
    if not (text.isdigit() and len(text) in (3, 4)):
        raise CardRefused(CVC.message, code="invalid_cvc", param="cvc")


def card_details(card: TestCard) -> Document:
    """Return what a payment method and a charge both tell of a card."""
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "funding": "credit",
        "last4": card.last4,
        "regulated_status": "unregulated",
        "wallet": None,
    }


def _blank(call: Call, card: TestCard) -> Document:
    return {
        "id": call.store.next_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict(NO_ADDRESS),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "card": card_details(card)
        | {
            "display_brand": card.brand,
            "generated_from": None,
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
        },
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "radar_options": {},
        "type": "card",
    }
