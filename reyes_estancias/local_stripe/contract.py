"""The parameters each endpoint takes, by Stripe's names; a test holds them against the installed SDK.

A name under ``unsupported`` exists at Stripe and is refused here with a word of its own; any other name is
refused as Stripe refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping

from reyes_estancias.local_stripe.parameters import (
    Boolean,
    Choice,
    Currency,
    Email,
    Fields,
    Integer,
    IntegerRange,
    Kind,
    ListOf,
    Metadata,
    Text,
    Url,
)

API_VERSION = "2026-10-28.endive"

EXPAND: dict[str, Kind] = {"expand": ListOf(Text())}
PAGE: dict[str, Kind] = EXPAND | {
    "limit": Integer(1, 100),
    "starting_after": Text(),
    "ending_before": Text(),
}
CLEARABLE = Text(is_clearable=True)
CARD_ONLY = ListOf(Choice(("card",)))


def fields(accepted: Mapping[str, Kind], *, required: str = "", unsupported: str = "") -> Fields:
    """Return a group whose required and unsupported names are written with spaces between."""
    return Fields(accepted, tuple(required.split()), frozenset(unsupported.split()))


ADDRESS = fields(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), CLEARABLE))
SHIPPING = fields({"address": ADDRESS, "name": Text(), "phone": Text()})
AUTOMATIC_METHODS = fields(
    {"enabled": Boolean(), "allow_redirects": Choice(("always", "never"))}, required="enabled"
)
BILLING_DETAILS = fields(
    {"address": ADDRESS, "email": CLEARABLE, "name": CLEARABLE, "phone": CLEARABLE}, unsupported="tax_id"
)

CUSTOMER_FIELDS: dict[str, Kind] = EXPAND | {
    "address": ADDRESS,
    "description": CLEARABLE,
    "email": CLEARABLE,
    "invoice_settings": fields(
        {"default_payment_method": CLEARABLE}, unsupported="custom_fields footer rendering_options"
    ),
    "metadata": Metadata(),
    "name": CLEARABLE,
    "phone": CLEARABLE,
    "preferred_locales": ListOf(Text()),
    "shipping": SHIPPING,
}
CUSTOMER_UNSUPPORTED = (
    "balance business_name cash_balance individual_name invoice_prefix next_invoice_sequence source tax "
    "tax_exempt validate"
)

CARD_NUMBER = fields(
    {"number": Text(), "exp_month": Integer(1, 12), "exp_year": Integer(), "cvc": Text()},
    required="number exp_month exp_year",
    unsupported="networks token",
)
OTHER_METHOD_TYPES = (
    "acss_debit affirm afterpay_clearpay alipay alma amazon_pay au_becs_debit bacs_debit bancontact billie "
    "bizum blik boleto cashapp crypto custom customer_balance eps fpx giropay grabpay ideal interac_present "
    "kakao_pay klarna konbini kr_card link mb_way mobilepay multibanco naver_pay nz_bank_account oxxo p24 "
    "pay_by_bank payco paynow paypal paypay payto pix promptpay revolut_pay samsung_pay satispay scalapay "
    "sepa_debit sequra sofort sunbit swish twint upi us_bank_account wechat_pay zip"
)

INTENT_UNSUPPORTED = (
    "amount_details confirmation_token excluded_payment_method_types hooks mandate mandate_data "
    "payment_details payment_method_data payment_method_options radar_options shipping use_stripe_sdk"
)
FUTURE_USAGE = Choice(("off_session", "on_session"))
AUTOMATIC_CAPTURE = Choice(("automatic", "automatic_async"))

ENDPOINTS: dict[str, Fields] = {
    "account.retrieve_current": fields(EXPAND),
    "customers.create": fields(
        CUSTOMER_FIELDS | {"payment_method": Text()},
        unsupported=f"{CUSTOMER_UNSUPPORTED} tax_id_data test_clock",
    ),
    "customers.update": fields(CUSTOMER_FIELDS, unsupported=f"{CUSTOMER_UNSUPPORTED} default_source"),
    "customers.list": fields(PAGE | {"created": IntegerRange(), "email": Text()}, unsupported="test_clock"),
    "customers.retrieve": fields(EXPAND),
    "customers.delete": fields({}),
    "customers.payment_methods": fields(PAGE | {"type": Choice(("card",))}, unsupported="allow_redisplay"),
    "payment_methods.create": fields(
        EXPAND
        | {
            "type": Choice(("card",)),
            "card": CARD_NUMBER,
            "billing_details": BILLING_DETAILS,
            "metadata": Metadata(),
        },
        required="type card",
        unsupported=f"{OTHER_METHOD_TYPES} allow_redisplay customer payment_method radar_options",
    ),
    "payment_methods.retrieve": fields(EXPAND),
    "payment_methods.attach": fields(
        EXPAND | {"customer": Text()}, required="customer", unsupported="customer_account"
    ),
    "payment_methods.detach": fields(EXPAND),
    "payment_methods.list": fields(
        PAGE | {"customer": Text(), "type": Choice(("card",))}, unsupported="allow_redisplay customer_account"
    ),
    "setup_intents.create": fields(
        EXPAND
        | {
            "allowed_payment_method_types": CARD_ONLY,
            "automatic_payment_methods": AUTOMATIC_METHODS,
            "confirm": Boolean(),
            "customer": Text(),
            "description": Text(),
            "metadata": Metadata(),
            "payment_method": Text(),
            "return_url": Url(),
            "usage": FUTURE_USAGE,
        },
        unsupported="attach_to_self confirmation_token customer_account excluded_payment_method_types "
        "flow_directions mandate_data on_behalf_of payment_method_configuration payment_method_data "
        "payment_method_options single_use use_stripe_sdk",
    ),
    "setup_intents.retrieve": fields(EXPAND, unsupported="client_secret"),
    "setup_intents.confirm": fields(
        EXPAND | {"payment_method": Text(), "return_url": Url()},
        unsupported="allowed_payment_method_types confirmation_token mandate_data payment_method_data "
        "payment_method_options use_stripe_sdk",
    ),
    "payment_intents.create": fields(
        EXPAND
        | {
            "allowed_payment_method_types": CARD_ONLY,
            "amount": Integer(minimum=1),
            "automatic_payment_methods": AUTOMATIC_METHODS,
            "capture_method": AUTOMATIC_CAPTURE,
            "confirm": Boolean(),
            "confirmation_method": Choice(("automatic", "manual")),
            "currency": Currency(),
            "customer": Text(),
            "description": Text(1000),
            "error_on_requires_action": Boolean(),
            "metadata": Metadata(),
            "off_session": Boolean(),
            "payment_method": Text(),
            "receipt_email": Email(),
            "return_url": Url(),
            "setup_future_usage": FUTURE_USAGE,
            "statement_descriptor_suffix": Text(22),
        },
        required="amount currency",
        unsupported=f"{INTENT_UNSUPPORTED} application_fee_amount customer_account on_behalf_of "
        "payment_method_configuration statement_descriptor transfer_data transfer_group",
    ),
    "payment_intents.retrieve": fields(EXPAND, unsupported="client_secret"),
    "payment_intents.list": fields(
        PAGE | {"created": IntegerRange(), "customer": Text()}, unsupported="customer_account"
    ),
    "payment_intents.confirm": fields(
        EXPAND
        | {
            "error_on_requires_action": Boolean(),
            "off_session": Boolean(),
            "payment_method": Text(),
            "receipt_email": Email(),
            "return_url": Url(),
            "setup_future_usage": FUTURE_USAGE,
        },
        unsupported=f"{INTENT_UNSUPPORTED} allowed_payment_method_types amount_to_confirm capture_method",
    ),
    "payment_intents.cancel": fields(
        EXPAND
        | {"cancellation_reason": Choice(("abandoned", "duplicate", "fraudulent", "requested_by_customer"))}
    ),
    "charges.retrieve": fields(EXPAND),
    "charges.list": fields(
        PAGE | {"created": IntegerRange(), "customer": Text(), "payment_intent": Text()},
        unsupported="transfer_group",
    ),
    "balance_transactions.retrieve": fields(EXPAND),
    "balance_transactions.list": fields(
        PAGE | {"created": IntegerRange(), "currency": Currency(), "source": Text(), "type": Text()},
        unsupported="payout",
    ),
    "refunds.create": fields(
        EXPAND
        | {
            "amount": Integer(minimum=1),
            "charge": Text(),
            "metadata": Metadata(),
            "payment_intent": Text(),
            "reason": Choice(("duplicate", "fraudulent", "requested_by_customer")),
        },
        unsupported="currency customer instructions_email origin refund_application_fee reverse_transfer",
    ),
    "refunds.retrieve": fields(EXPAND),
    "refunds.list": fields(
        PAGE | {"created": IntegerRange(), "charge": Text(), "payment_intent": Text()},
    ),
    "disputes.retrieve": fields(EXPAND),
    "disputes.list": fields(
        PAGE | {"created": IntegerRange(), "charge": Text(), "payment_intent": Text()},
    ),
    "events.retrieve": fields(EXPAND),
    "events.list": fields(
        PAGE | {"created": IntegerRange(), "type": Text(), "types": ListOf(Text(), 20)},
        unsupported="delivery_success",
    ),
    "webhook_endpoints.create": fields(
        EXPAND
        | {
            "description": Text(),
            "enabled_events": ListOf(Text(), 1000),
            "metadata": Metadata(),
            "url": Url(),
        },
        required="enabled_events url",
        unsupported="api_version connect",
    ),
    "webhook_endpoints.list": fields(PAGE),
    "webhook_endpoints.retrieve": fields(EXPAND),
    "webhook_endpoints.delete": fields({}),
}
