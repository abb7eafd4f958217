"""The parameters we take, held against those the installed SDK declares for its API version."""

from __future__ import annotations

from typing import Any

import pytest
import stripe
from stripe import params

from reyes_estancias.local_stripe import contract, contract_checkout
from reyes_estancias.local_stripe.contract import API_VERSION, ENDPOINTS
from reyes_estancias.local_stripe.contract_checkout import ALL_ENDPOINTS
from reyes_estancias.local_stripe.parameters import Fields, Text
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import create_session, make_customer

REQUEST_OPTIONS = set(stripe.RequestOptions.__annotations__)

PARAMS_OF = {
    "account.retrieve_current": params.AccountRetrieveCurrentParams,
    "customers.create": params.CustomerCreateParams,
    "customers.update": params.CustomerModifyParams,
    "customers.list": params.CustomerListParams,
    "customers.retrieve": params.CustomerRetrieveParams,
    "customers.delete": params.CustomerDeleteParams,
    "customers.payment_methods": params.CustomerListPaymentMethodsParams,
    "payment_methods.create": params.PaymentMethodCreateParams,
    "payment_methods.retrieve": params.PaymentMethodRetrieveParams,
    "payment_methods.attach": params.PaymentMethodAttachParams,
    "payment_methods.detach": params.PaymentMethodDetachParams,
    "payment_methods.list": params.PaymentMethodListParams,
    "setup_intents.create": params.SetupIntentCreateParams,
    "setup_intents.retrieve": params.SetupIntentRetrieveParams,
    "setup_intents.confirm": params.SetupIntentConfirmParams,
    "payment_intents.create": params.PaymentIntentCreateParams,
    "payment_intents.retrieve": params.PaymentIntentRetrieveParams,
    "payment_intents.list": params.PaymentIntentListParams,
    "payment_intents.confirm": params.PaymentIntentConfirmParams,
    "payment_intents.cancel": params.PaymentIntentCancelParams,
    "charges.retrieve": params.ChargeRetrieveParams,
    "charges.list": params.ChargeListParams,
    "balance_transactions.retrieve": params.BalanceTransactionRetrieveParams,
    "balance_transactions.list": params.BalanceTransactionListParams,
    "refunds.create": params.RefundCreateParams,
    "refunds.retrieve": params.RefundRetrieveParams,
    "refunds.list": params.RefundListParams,
    "disputes.retrieve": params.DisputeRetrieveParams,
    "disputes.list": params.DisputeListParams,
    "events.retrieve": params.EventRetrieveParams,
    "events.list": params.EventListParams,
    "webhook_endpoints.create": params.WebhookEndpointCreateParams,
    "webhook_endpoints.list": params.WebhookEndpointListParams,
    "webhook_endpoints.retrieve": params.WebhookEndpointRetrieveParams,
    "webhook_endpoints.delete": params.WebhookEndpointDeleteParams,
    "checkout.sessions.create": params.checkout.SessionCreateParams,
    "checkout.sessions.retrieve": params.checkout.SessionRetrieveParams,
    "checkout.sessions.list": params.checkout.SessionListParams,
    "checkout.sessions.expire": params.checkout.SessionExpireParams,
    "checkout.sessions.line_items": params.checkout.SessionListLineItemsParams,
}

GROUPS = [
    (contract.ADDRESS, params.CustomerCreateParamsAddress),
    (contract.SHIPPING, params.CustomerCreateParamsShipping),
    (contract.CUSTOMER_FIELDS["invoice_settings"], params.CustomerCreateParamsInvoiceSettings),
    (contract.AUTOMATIC_METHODS, params.PaymentIntentCreateParamsAutomaticPaymentMethods),
    (contract.AUTOMATIC_METHODS, params.SetupIntentCreateParamsAutomaticPaymentMethods),
    (contract.BILLING_DETAILS, params.PaymentMethodCreateParamsBillingDetails),
    (contract.CARD_NUMBER, params.PaymentMethodCreateParamsCard),
    (contract_checkout.LINE_ITEM, params.checkout.SessionCreateParamsLineItem),
    (contract_checkout.PRICE_DATA, params.checkout.SessionCreateParamsLineItemPriceData),
    (contract_checkout.PRODUCT_DATA, params.checkout.SessionCreateParamsLineItemPriceDataProductData),
    (contract_checkout.PAYMENT_INTENT_DATA, params.checkout.SessionCreateParamsPaymentIntentData),
]


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def refuse(world: LocalStripe, **more: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.payment_intents.create({"amount": 5000, "currency": "mxn", **more})  # type: ignore[typeddict-item]
    return error.value


def test_every_endpoint_is_held_against_the_sdk():
    assert set(PARAMS_OF) == set(ALL_ENDPOINTS)


def test_the_version_is_the_one_the_sdk_pins():
    assert stripe.api_version == API_VERSION


@pytest.mark.parametrize("name", sorted(PARAMS_OF))
def test_what_is_accepted_or_left_out_is_exactly_what_the_sdk_declares(name):
    group = ALL_ENDPOINTS[name]
    declared = set(PARAMS_OF[name].__annotations__) - REQUEST_OPTIONS

    assert set(group.accepted) | group.unsupported == declared
    assert not set(group.accepted) & group.unsupported
    assert set(group.required) <= set(group.accepted)


@pytest.mark.parametrize(("group", "declaration"), GROUPS, ids=[each[1].__name__ for each in GROUPS])
def test_the_same_holds_for_each_group_inside(group, declaration):
    assert isinstance(group, Fields)
    assert set(group.accepted) | group.unsupported == set(declaration.__annotations__)


def test_payment_method_types_is_refused_as_stripe_refuses_it(world):
    error = refuse(world, payment_method_types=["card"])

    assert (error.http_status, error.code, error.param) == (400, "parameter_unknown", "payment_method_types")


def test_a_parameter_only_stripe_supports_is_refused_with_a_word_of_its_own(world):
    error = refuse(world, transfer_group="g")

    assert error.code == "sandbox_unsupported"
    assert "local_stripe" in str(error)


def test_an_unknown_name_inside_a_group_is_refused_with_its_path(world):
    with pytest.raises(stripe.InvalidRequestError) as error:
        create_session(world, payment_intent_data={"setup_future": "off_session"})

    assert (error.value.code, error.value.param) == ("parameter_unknown", "payment_intent_data[setup_future]")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"amount": "ten"}, "parameter_invalid_integer"),
        ({"amount": -1}, "parameter_invalid_integer"),
        ({"currency": "pesos"}, None),
        ({"confirm": "yes"}, None),
        ({"customer": ""}, "parameter_invalid_empty"),
        ({"receipt_email": "nobody"}, "email_invalid"),
        ({"return_url": "/listo"}, "url_invalid"),
        ({"metadata": {"k" * 41: "v"}}, None),
        ({"metadata": {"k": "v" * 501}}, None),
        ({"metadata": {f"k{number}": "v" for number in range(51)}}, None),
        ({"metadata": "text"}, None),
        ({"allowed_payment_method_types": ["oxxo"]}, None),
        ({"capture_method": "manual"}, None),
        ({"off_session": True}, None),
        ({"confirm": True}, "parameter_missing"),
        ({"expand": ["secret"]}, None),
    ],
)
def test_a_malformed_value_is_refused_and_makes_nothing(world, more, code):
    error = refuse(world, **more)

    assert error.http_status == 400
    assert code is None or error.code == code
    assert world.core.store.rows("payment_intent") == []


def test_a_missing_parameter_is_named(world):
    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.payment_intents.create({"currency": "mxn"})

    assert (error.value.code, error.value.param) == ("parameter_missing", "amount")


def test_every_accepted_text_of_a_customer_can_be_written_and_cleared(world):
    texts = [name for name, kind in ENDPOINTS["customers.update"].accepted.items() if isinstance(kind, Text)]
    customer = make_customer(world)

    world.client.v1.customers.update(customer, dict.fromkeys(texts, "x"))
    cleared = world.client.v1.customers.update(customer, dict.fromkeys(texts, ""))

    assert texts == ["description", "email", "name", "phone"]
    assert [cleared[name] for name in texts] == [None] * 4


def test_metadata_is_merged_and_an_empty_value_removes_its_key(world):
    made = world.client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})

    updated = world.client.v1.customers.update(made.id, {"metadata": {"a": "", "c": "3"}})

    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}


def test_search_is_not_offered(world):
    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.payment_intents.search({"query": "status:'succeeded'"})

    assert error.value.http_status == 404


def test_an_unknown_object_is_a_404(world):
    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.payment_intents.retrieve("pi_nobody")

    assert (error.value.http_status, error.value.code) == (404, "resource_missing")


@pytest.mark.parametrize("key", ["sk_live_abcdefgh", "rk_live_abcdefgh", "pk_test_abcdefgh", "nonsense"])
def test_any_but_a_test_key_is_refused(key):
    world = make_local_stripe(api_key=key)

    with pytest.raises(stripe.AuthenticationError) as error:
        make_customer(world)

    assert error.value.http_status == 401
    assert key not in str(error.value)
    assert world.core.store.rows("customer") == []


def test_another_api_version_is_refused(world):
    with pytest.raises(stripe.InvalidRequestError, match="speaks API version"):
        world.client.v1.customers.create({}, {"stripe_version": "2020-08-27"})
