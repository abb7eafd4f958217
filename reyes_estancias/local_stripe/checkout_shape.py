"""The shape of a new Checkout Session and of its line items."""

from __future__ import annotations

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document

DEFAULT_LIFETIME_SECONDS = 24 * 3600

ABSENT_FIELDS = (
    "after_expiration",
    "allow_promotion_codes",
    "allowed_payment_method_types",
    "billing_address_collection",
    "branding_settings",
    "cancel_url",
    "client_reference_id",
    "client_secret",
    "collected_information",
    "consent",
    "consent_collection",
    "currency_conversion",
    "customer",
    "customer_account",
    "customer_email",
    "excluded_payment_method_types",
    "integration_identifier",
    "invoice",
    "invoice_creation",
    "locale",
    "origin_context",
    "payment_intent",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "saved_payment_method_options",
    "setup_intent",
    "shipping_address_collection",
    "shipping_cost",
    "submit_type",
    "subscription",
    "success_url",
    "wallet_options",
)
"""What Stripe answers with null when a session was not asked for it."""


def build_line_items(call: Call, asked: list[Document]) -> Document:
    """Return the list of a session's items, with what each costs in minor units."""
    items = [_line_item(call, item["price_data"], item.get("quantity", 1)) for item in asked]
    return {"object": "list", "data": items, "has_more": False, "url": "/v1/checkout/sessions/line_items"}


def _line_item(call: Call, price: Document, quantity: int) -> Document:
    amount = price["unit_amount"] * quantity
    return {
        "id": call.store.next_id("li_"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": price["product_data"]["name"],
        "metadata": {},
        "price": _price(call, price),
        "quantity": quantity,
    }


def _price(call: Call, price: Document) -> Document:
    return {
        "id": call.store.next_id("price_"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": price["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": call.store.next_id("prod_"),
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": price["unit_amount"],
        "unit_amount_decimal": str(price["unit_amount"]),
    }


def blank_session(call: Call, *, total: int, currency: str) -> Document:
    """Return a new open session for the request, and list it among the open ones."""
    session_id = call.store.next_id("cs_test_")
    expires_at = call.params.get("expires_at", call.now + DEFAULT_LIFETIME_SECONDS)
    call.store.put("open_sessions", session_id, {"id": session_id, "expires_at": expires_at})
    given = (
        "allowed_payment_method_types",
        "cancel_url",
        "client_reference_id",
        "customer",
        "customer_creation",
        "customer_email",
        "locale",
        "metadata",
        "submit_type",
        "success_url",
    )
    return (
        _constant_fields()
        | {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": total,
            "amount_total": total,
            "created": call.now,
            "currency": currency,
            "customer_creation": None if "customer" in call.params else "if_required",
            "customer_details": _known_guest(call),
            "expires_at": expires_at,
            "url": f"{call.base_url}/c/pay/{session_id}",
        }
        | {name: call.params[name] for name in given if name in call.params}
    )


def _known_guest(call: Call) -> Document | None:
    email = call.params.get("customer_email")
    if customer_id := call.params.get("customer"):
        email = call.find_customer(customer_id)["email"]
    if email is None:
        return None
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _constant_fields() -> Document:
    return dict.fromkeys(ABSENT_FIELDS) | {
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "discounts": [],
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
    }
