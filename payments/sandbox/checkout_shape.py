"""The shape of a new Checkout Session and of its line items."""

from __future__ import annotations

from payments.sandbox.calls import Call
from payments.sandbox.errors import Document

DEFAULT_LIFETIME_SECONDS = 24 * 3600


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
    return {
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": None,
        "cancel_url": None,
        "client_reference_id": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_account": None,
        "customer_email": None,
        "discounts": [],
        "excluded_payment_method_types": None,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": None,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }
