"""Which deliveries an event causes, when they are due, and that Stripe's SDK accepts their signature."""

from __future__ import annotations

import time

import pytest
import stripe

from reyes_estancias.local_stripe import webhooks
from reyes_estancias.local_stripe.settings import Settings, change_settings
from reyes_estancias.local_stripe.webhooks import (
    RETRY_DELAYS_SECONDS,
    Delivery,
    DeliveryState,
    list_deliveries,
    pick_due,
)
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import charge_saved_card, make_customer

SECRET = "whsec_prueba"


@pytest.fixture
def world() -> LocalStripe:
    world = make_local_stripe()
    world.client.v1.webhook_endpoints.create({"url": "https://reyes.test/webhooks", "enabled_events": ["*"]})
    return world


def due_order(world: LocalStripe, *, now: float) -> list[str]:
    """Send everything that is due, in order, to an endpoint that takes it."""
    sent = []
    while (delivery := pick_due(world.core.store, now=now, busy=frozenset())) is not None:
        sent.append(delivery.event_type)
        webhooks.record_answer(world.core.store, delivery, answer="200", is_taken=True, now=now)
    return sent


def only_delivery(world: LocalStripe) -> Delivery:
    [delivery] = list_deliveries(world.core.store)
    return delivery


def test_the_sdk_accepts_our_signature(world):
    make_customer(world)
    [event] = world.core.store.rows("event")
    payload = webhooks.write_payload(event)
    header = webhooks.sign(payload, secret=SECRET, timestamp=int(time.time()))

    read = stripe.Webhook.construct_event(payload, header, SECRET)

    assert read.type == "customer.created"
    assert read.data.object["email"] == "ana@example.com"


@pytest.mark.parametrize(
    ("secret", "age"), [("whsec_otro", 0), (SECRET, 301)], ids=["another secret", "six minutes old"]
)
def test_the_sdk_refuses_a_signature_that_is_wrong_or_old(world, secret, age):
    make_customer(world)
    payload = webhooks.write_payload(world.core.store.rows("event")[0])
    header = webhooks.sign(payload, secret=secret, timestamp=int(time.time()) - age)

    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, header, SECRET)


def test_the_sdk_reads_a_thin_event_and_what_it_names(world):
    make_customer(world)
    [event] = world.core.store.rows("event")
    payload = webhooks.write_payload(event, is_thin=True)
    header = webhooks.sign(payload, secret=SECRET, timestamp=int(time.time()))

    read = world.client.parse_event_notification(payload, header, SECRET)

    assert (read.type, read.id != event["id"]) == ("v1.customer.created", True)
    assert read.fetch_related_object()["email"] == "ana@example.com"


def test_events_go_out_in_the_order_they_happened(world):
    charge_saved_card(world)

    assert due_order(world, now=world.clock.now) == world.event_types()


def test_an_endpoint_gets_only_what_it_asked_for(world):
    picky = world.client.v1.webhook_endpoints.create(
        {"url": "https://reyes.test/otro", "enabled_events": ["payment_intent.succeeded", "refund.*"]}
    )

    intent = charge_saved_card(world)
    world.client.v1.refunds.create({"payment_intent": intent.id})

    sent = [each.event_type for each in list_deliveries(world.core.store) if each.endpoint == picky.id]
    assert sent == ["payment_intent.succeeded", "refund.created"]


def test_the_secret_is_told_once(world):
    made = world.client.v1.webhook_endpoints.create({"url": "https://reyes.test/x", "enabled_events": ["*"]})

    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert "secret" not in world.client.v1.webhook_endpoints.retrieve(made.id).to_dict()


def test_a_deleted_endpoint_gets_nothing_more(world):
    [endpoint] = world.client.v1.webhook_endpoints.list().data
    world.client.v1.webhook_endpoints.delete(endpoint.id)

    make_customer(world)

    assert list_deliveries(world.core.store) == []


def test_a_refused_delivery_is_sent_again_later_and_given_up_in_the_end(world):
    make_customer(world)
    now = world.clock.now
    for delay in RETRY_DELAYS_SECONDS:
        tried = webhooks.record_answer(
            world.core.store, only_delivery(world), answer="500", is_taken=False, now=now
        )
        assert (tried.state, tried.due) == (DeliveryState.PENDING, now + delay)
        assert pick_due(world.core.store, now=now, busy=frozenset()) is None
        now = tried.due

    last = webhooks.record_answer(
        world.core.store, only_delivery(world), answer="500", is_taken=False, now=now
    )

    assert (last.state, last.tries, last.last_answer) == (DeliveryState.FAILED, 4, "500")
    assert pick_due(world.core.store, now=now + 3600, busy=frozenset()) is None


def test_a_busy_delivery_is_not_picked_again(world):
    make_customer(world)
    delivery = only_delivery(world)

    assert pick_due(world.core.store, now=world.clock.now, busy=frozenset({delivery.id})) is None


def test_events_can_be_sent_several_times(world):
    change_settings(world.core.store, {"webhook_duplicates": 4})

    make_customer(world)

    assert [each.event_type for each in list_deliveries(world.core.store)] == ["customer.created"] * 5


def test_events_can_be_held_back(world):
    change_settings(world.core.store, {"webhook_delay_seconds": 60})

    make_customer(world)

    assert due_order(world, now=world.clock.now + 59) == []
    assert due_order(world, now=world.clock.now + 60) == ["customer.created"]


def test_events_can_be_lost(world):
    change_settings(world.core.store, {"are_webhooks_dropped": True})

    make_customer(world)

    assert due_order(world, now=world.clock.now + 3600) == []
    assert only_delivery(world).state is DeliveryState.DROPPED
    assert world.event_types() == ["customer.created"]


def test_events_can_come_newest_first(world):
    change_settings(world.core.store, {"webhook_reorder_seconds": 5})

    charge_saved_card(world)

    assert due_order(world, now=world.clock.now + 5) == world.event_types()[::-1]


def test_events_are_listed_by_type_and_forgotten_after_a_month(world):
    make_customer(world)
    charge_saved_card(world)
    client = world.client.v1.events

    assert [each.type for each in client.list({"type": "charge.*"})] == ["charge.succeeded"]
    assert [
        each.type for each in client.list({"types": ["charge.succeeded", "payment_method.attached"]})
    ] == [
        "charge.succeeded",
        "payment_method.attached",
    ]
    world.clock.advance(seconds=31 * 86_400)
    assert client.list().data == []


def test_an_event_names_the_request_and_key_that_caused_it(world):
    world.client.v1.customers.create({}, {"idempotency_key": "K"})

    [event] = world.client.v1.events.list().data

    assert event.request is not None
    assert event.request.idempotency_key == "K"
    assert event.request.id == world.transport.answers[-2].headers["Request-Id"]


@pytest.mark.parametrize(
    ("delay", "window", "due"),
    [(0.0, 0.0, 1003.0), (4.0, 0.0, 1007.0), (0.0, 10.0, 1010.0), (9.0, 10.0, 1020.0)],
)
def test_when_an_event_goes_out(delay, window, due):
    settings = Settings(webhook_delay_seconds=delay, webhook_reorder_seconds=window)

    assert webhooks.due_time(1003.0, settings) == due
