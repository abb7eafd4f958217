"""The parameters of the Checkout Session endpoints; see ``contract``."""

from __future__ import annotations

from reyes_estancias.local_stripe.contract import CARD_ONLY, ENDPOINTS, EXPAND, FUTURE_USAGE, PAGE, fields
from reyes_estancias.local_stripe.parameters import (
    Choice,
    Currency,
    Email,
    Fields,
    Integer,
    IntegerRange,
    ListOf,
    Metadata,
    Text,
    Url,
)

LOCALE_NAMES = (
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hi-IN hr hu id it ja ko lt lv ms mt nb nl pl "
    "pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
)
LOCALES = tuple(LOCALE_NAMES.split())

PRODUCT_DATA = fields(
    {"name": Text(), "description": Text(), "metadata": Metadata()},
    required="name",
    unsupported="images tax_code tax_details unit_label",
)
PRICE_DATA = fields(
    {"currency": Currency(), "unit_amount": Integer(), "product_data": PRODUCT_DATA},
    required="currency unit_amount product_data",
    unsupported="product recurring tax_behavior unit_amount_decimal",
)
LINE_ITEM = fields(
    {"price_data": PRICE_DATA, "quantity": Integer(1, 10_000)},
    required="price_data",
    unsupported="adjustable_quantity metadata price tax_rates",
)
PAYMENT_INTENT_DATA = fields(
    {
        "description": Text(1000),
        "metadata": Metadata(),
        "receipt_email": Email(),
        "setup_future_usage": FUTURE_USAGE,
        "statement_descriptor_suffix": Text(22),
    },
    unsupported="application_fee_amount capture_method on_behalf_of shipping statement_descriptor "
    "transfer_data transfer_group",
)

CHECKOUT_ENDPOINTS: dict[str, Fields] = {
    "checkout.sessions.create": fields(
        EXPAND
        | {
            "allowed_payment_method_types": CARD_ONLY,
            "cancel_url": Url(),
            "client_reference_id": Text(200),
            "customer": Text(),
            "customer_creation": Choice(("always", "if_required")),
            "customer_email": Email(),
            "expires_at": Integer(),
            "line_items": ListOf(LINE_ITEM),
            "locale": Choice(LOCALES),
            "metadata": Metadata(),
            "mode": Choice(("payment",)),
            "payment_intent_data": PAYMENT_INTENT_DATA,
            "submit_type": Choice(("auto", "book", "donate", "pay")),
            "success_url": Url(),
            "ui_mode": Choice(("hosted_page",)),
        },
        required="mode line_items success_url",
        unsupported="adaptive_pricing after_expiration allow_promotion_codes automatic_tax "
        "billing_address_collection branding_settings consent_collection currency custom_fields custom_text "
        "customer_account customer_update discounts excluded_payment_method_types integration_identifier "
        "invoice_creation managed_payments name_collection optional_items origin_context "
        "payment_method_collection payment_method_configuration payment_method_data payment_method_options "
        "permissions phone_number_collection redirect_on_completion return_url saved_payment_method_options "
        "setup_intent_data shipping_address_collection shipping_options subscription_data tax_id_collection "
        "wallet_options",
    ),
    "checkout.sessions.retrieve": fields(EXPAND),
    "checkout.sessions.list": fields(
        PAGE
        | {
            "created": IntegerRange(),
            "customer": Text(),
            "payment_intent": Text(),
            "status": Choice(("complete", "expired", "open")),
        },
        unsupported="customer_account customer_details payment_link subscription",
    ),
    "checkout.sessions.expire": fields(EXPAND),
    "checkout.sessions.line_items": fields(PAGE),
}

ALL_ENDPOINTS = ENDPOINTS | CHECKOUT_ENDPOINTS
