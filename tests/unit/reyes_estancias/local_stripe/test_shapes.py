"""The fields of our answers, held against those the SDK's resource classes declare."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

import pytest
import stripe

from reyes_estancias.local_stripe.errors import Document
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import (
    card_form,
    charge_saved_card,
    create_intent,
    create_session,
    make_customer,
    save_card,
)

CLASS_OF: dict[str, type] = {
    "account": stripe.Account,
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "item": stripe.LineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "price": stripe.Price,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "webhook_endpoint": stripe.WebhookEndpoint,
}

LEFT_OUT = {
    # Sent by Stripe only on request (expand), for other kinds of payment, or once there is something to say.
    "account": {"deleted", "groups", "individual"},
    "charge": {"authorization_code", "level3", "presentment_details", "refunds", "transfer"},
    "checkout.session": {
        "branding_settings",
        "line_items",
        "name_collection",
        "optional_items",
        "presentment_details",
        "redirect_on_completion",
        "return_url",
        "tax_id_collection",
    },
    "customer": {
        "cash_balance",
        "deleted",
        "invoice_credit_balance",
        "sources",
        "subscriptions",
        "tax",
        "tax_ids",
    },
    "dispute": {"intended_submission_method", "network_reason_code"},
    "item": {"discounts", "taxes"},
    "payment_intent": {"hooks", "payment_details", "payment_record", "presentment_details"},
    "price": {"currency_options", "deleted", "tiers"},
    "refund": {
        "description",
        "failure_balance_transaction",
        "failure_reason",
        "instructions_email",
        "next_action",
        "pending_reason",
        "presentment_details",
    },
    "setup_intent": {"attach_to_self"},
    "webhook_endpoint": {"deleted", "secret"},
}


def declared(cls: type) -> set[str]:
    return set(cls.__annotations__) - {"OBJECT_NAME"}


def left_out(kind: str) -> set[str]:
    if kind == "payment_method":
        return other_payment_methods()
    return LEFT_OUT.get(kind, set())


def other_payment_methods() -> set[str]:
    """A payment method carries the details of its own type only."""
    types_known = set(get_args(get_args(stripe.PaymentMethod.__annotations__["type"])[0]))
    return types_known - {"card"} | {"card_present"}


def nested_class(annotation: Any) -> type | None:
    """Return the SDK class inside an Optional, a Union or a List, when there is exactly one."""
    if get_origin(annotation) in (Union, types.UnionType, list):
        found = [cls for part in get_args(annotation) if (cls := nested_class(part))]
        return found[0] if len(found) == 1 else None
    is_class = isinstance(annotation, type) and issubclass(annotation, stripe.StripeObject)
    return annotation if is_class and "stripe._stripe_object" not in annotation.__module__ else None


def class_of(value: object, inner: type | None) -> type | None:
    """Return the class that declares a nested value's fields, when it is a group of declared fields."""
    if not isinstance(value, dict):
        return None
    kind = value.get("object")
    if isinstance(kind, str) and kind in CLASS_OF:
        return CLASS_OF[kind]
    return inner if inner is not None and inner.__annotations__ else None


def undeclared(document: Document, cls: type, path: str) -> Iterator[str]:
    """Yield the path of each field, at any depth, that the SDK does not declare."""
    for name, value in document.items():
        here = f"{path}.{name}"
        if name not in declared(cls):
            yield here
            continue
        inner = nested_class(cls.__annotations__[name])
        for child in value if isinstance(value, list) else [value]:
            cls_of_child = class_of(child, inner)
            if cls_of_child is not None:
                yield from undeclared(child, cls_of_child, here)


def has_everything_happen(world: LocalStripe) -> None:
    """Leave at least one object of each kind, in each state a test could meet."""
    client = world.client.v1
    client.webhook_endpoints.create({"url": "https://reyes.test/webhooks", "enabled_events": ["*"]})
    intent = charge_saved_card(world)
    client.refunds.create({"payment_intent": intent.id, "amount": 1000})
    failing = charge_saved_card(world, card="pm_card_refundFail")
    client.refunds.create({"payment_intent": failing.id})
    world.clock.advance(seconds=60)
    with pytest.raises(stripe.CardError):
        charge_saved_card(world, card="pm_card_chargeCustomerFail")
    customer = make_customer(world)
    method = save_card(world, customer, card="pm_card_authenticationRequired")
    waiting = create_intent(world, customer=customer, payment_method=method)
    client.payment_intents.confirm(waiting.id, {"return_url": "https://reyes.test/x"})
    client.payment_intents.confirm(create_intent(world, customer=customer, payment_method=method).id, {})
    client.setup_intents.create({"customer": customer, "payment_method": "pm_card_visa", "confirm": True})
    client.payment_intents.cancel(client.payment_intents.create({"amount": 5000, "currency": "mxn"}).id)
    page = str(create_session(world).url)
    world.browse("POST", page, card_form("4000000000000002"))
    world.browse("POST", page, card_form("4242424242424242"))
    client.checkout.sessions.expire(create_session(world).id)
    charge_saved_card(world, card="pm_card_createDispute")
    charge_saved_card(world, card="pm_card_createDisputeInquiry")


@pytest.fixture(scope="module")
def world() -> LocalStripe:
    world = make_local_stripe()
    has_everything_happen(world)
    return world


def documents(world: LocalStripe, kind: str) -> list[Document]:
    if kind == "account":
        return [world.client.v1.accounts.retrieve_current().to_dict()]
    if kind in ("item", "price"):
        items = [item for row in world.core.store.rows("line_items") for item in row["data"]]
        return items if kind == "item" else [item["price"] for item in items]
    return [row for row in world.core.store.rows(kind) if not row.get("deleted")]


@pytest.mark.parametrize("kind", sorted(CLASS_OF))
def test_no_answer_has_a_field_the_sdk_does_not_declare(world, kind):
    found = documents(world, kind)

    assert found
    assert [path for document in found for path in undeclared(document, CLASS_OF[kind], kind)] == []


@pytest.mark.parametrize("kind", sorted(CLASS_OF))
def test_no_answer_lacks_a_field_the_sdk_declares(world, kind):
    expected = declared(CLASS_OF[kind]) - left_out(kind)

    for document in documents(world, kind):
        assert expected - set(document) == set()


@pytest.mark.parametrize("kind", sorted(LEFT_OUT))
def test_what_is_left_out_exists_at_stripe_and_may_be_absent(kind):
    annotations = CLASS_OF[kind].__annotations__

    for name in LEFT_OUT[kind]:
        assert type(None) in get_args(annotations[name]), name


def test_every_event_carries_an_object_the_sdk_knows(world):
    known = set(get_args(stripe.Event.__annotations__["type"]))
    for event in world.core.store.rows("event"):
        subject = event["data"]["object"]
        assert event["type"] in known
        assert list(undeclared(subject, CLASS_OF[subject["object"]], event["type"])) == []


def test_events_tell_the_state_at_their_time(world):
    created = [
        event["data"]["object"]["status"]
        for event in world.core.store.rows("event")
        if event["type"] == "payment_intent.created"
    ]

    assert set(created) == {"requires_payment_method", "requires_confirmation"}
