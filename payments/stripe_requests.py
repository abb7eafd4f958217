"""How what we ask of Stripe is written: the parameters of its lists, intents and Checkout Sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from payments.gateway import IntentRequest, SessionRequest
from payments.stripe_readings import ATTEMPT_KEY, BOOKING_KEY, PAYMENT_KEY


def page_of(since: datetime | None, customer_id: str, **params: object) -> Any:
    created = {"created": {"gte": int(since.timestamp())}} if since else {}
    return {**params, **created, **({"customer": customer_id} if customer_id else {}), "limit": 100}


def metadata_of(request: IntentRequest | SessionRequest) -> dict[str, str]:
    """Return our marks; one that is empty is left out, as Stripe does."""
    marks = {
        ATTEMPT_KEY: request.attempt_key,
        BOOKING_KEY: request.marks.booking,
        PAYMENT_KEY: request.marks.payment,
    }
    return {name: mark for name, mark in marks.items() if mark}


def session_params(request: SessionRequest) -> Any:
    metadata = metadata_of(request)
    intent_data: dict[str, object] = {"metadata": metadata}
    if request.saves_card:
        intent_data["setup_future_usage"] = "off_session"
    if request.customer_id:
        payer: dict[str, object] = {"customer": request.customer_id}
    else:
        payer = {"customer_email": request.guest_email, "customer_creation": "always"}
    return {
        "mode": "payment",
        "allowed_payment_method_types": ["card"],
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": request.currency,
                    "unit_amount": request.amount_minor,
                    "product_data": {"name": request.product_name},
                },
            }
        ],
        "payment_intent_data": intent_data,
        "metadata": metadata,
        "client_reference_id": request.attempt_key,
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "expires_at": int(request.expires_at.timestamp()),
        "locale": "es-419",
        **payer,
    }
