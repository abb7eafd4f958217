"""Short ways to the situations that the tests of the local Stripe start from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from tests.stripe_transport import LocalStripe

BALANCE = 700_000
DEPOSIT = 300_000


def make_customer(world: LocalStripe, *, email: str = "ana@example.com") -> str:
    return world.client.v1.customers.create({"email": email}).id


def save_card(world: LocalStripe, customer: str, *, card: str = "pm_card_visa") -> str:
    return world.client.v1.payment_methods.attach(card, {"customer": customer}).id


def create_intent(
    world: LocalStripe,
    *,
    customer: str,
    payment_method: str,
    amount: int = BALANCE,
    key: str | None = None,
) -> stripe.PaymentIntent:
    return world.client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "mxn",
            "customer": customer,
            "payment_method": payment_method,
            "allowed_payment_method_types": ["card"],
            "metadata": {"attempt": "7"},
        },
        {"idempotency_key": key} if key else {},
    )


def confirm_off_session(
    world: LocalStripe, intent_id: str, *, key: str | None = None
) -> stripe.PaymentIntent:
    options: Any = {"idempotency_key": key} if key else {}
    return world.client.v1.payment_intents.confirm(intent_id, {"off_session": True}, options)


def charge_saved_card(
    world: LocalStripe, *, card: str = "pm_card_visa", amount: int = BALANCE
) -> stripe.PaymentIntent:
    customer = make_customer(world)
    method = save_card(world, customer, card=card)
    intent = create_intent(world, customer=customer, payment_method=method, amount=amount)
    return confirm_off_session(world, intent.id)


def create_session(world: LocalStripe, **params: Any) -> stripe.checkout.Session:
    asked: Any = {
        "mode": "payment",
        "success_url": "https://reyes.test/listo?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://reyes.test/volver",
        "customer_creation": "always",
        "line_items": [
            {
                "price_data": {
                    "currency": "mxn",
                    "unit_amount": DEPOSIT,
                    "product_data": {"name": "Anticipo de Casa Azul"},
                },
                "quantity": 1,
            }
        ],
        "payment_intent_data": {"setup_future_usage": "off_session", "metadata": {"attempt": "3"}},
        "locale": "es-419",
    }
    asked |= params
    if "customer" in params:
        del asked["customer_creation"]
    return world.client.v1.checkout.sessions.create(asked)


def card_form(number: str, **fields: str) -> str:
    return urlencode(
        {"number": number, "expiry": "12/40", "cvc": "123", "name": "Ana", "email": "ana@example.com"}
        | fields
    )


def details_of(error: pytest.ExceptionInfo[stripe.CardError]) -> Any:
    """Return the ``error`` object of a refusal."""
    assert error.value.error is not None
    return error.value.error


def decline_of(error: pytest.ExceptionInfo[stripe.CardError]) -> tuple[str | None, str | None]:
    """Return code and decline code of a refused card."""
    details = details_of(error)
    return details.code, getattr(details, "decline_code", None)
