"""Whatever Stripe signed is kept and answered 200; what cannot be read or is not so, a person gets to see."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from bookings.models import BookingStatus
from payments import tasks, unfinished, webhooks
from payments.exceptions import ContradictoryEvidence
from payments.ledger import mismatches, outcomes
from payments.models import PaymentAttempt, ReconciliationBreak, StripeEvent
from payments.policies import AttemptState, BreakKind, PaymentStatus
from payments.protocols import stripe_event
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.testing import refute_enqueued
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.factories import balance_of, make_intent
from tests.house import SECRET, House, last_attempt, live_attempt
from tests.integration.payments.test_monitoring import sentences_of

ROSA = Actor(name="rosa", user_id=None)


def post(house: House, body: bytes) -> int:
    signature = sign(body, secret=SECRET, timestamp=int(house.now.timestamp()))
    return house.post_webhook(body, signature=signature)


def paid_page(house: House) -> Document:
    """Return the event of a deposit that a guest has paid."""
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    (event,) = [each for each in house.events() if each["type"] == "checkout.session.completed"]
    return event


def without(event: Document, name: str) -> Document:
    return {key: value for key, value in event.items() if key != name}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b'{"object": "event"}', b"[" * 100_000]
)
def test_what_is_signed_and_no_event_is_kept_for_a_person(house: House, body: bytes):
    assert [post(house, body) for _ in range(2)] == [200, 200]

    event = StripeEvent.objects.get()
    assert (event.state, bytes(event.body or b""), event.repetitions) == ("parked", body, 1)
    assert event.note
    refute_enqueued(tasks.apply_stripe_event)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", 7),
        ("id", "evt_" + "x" * 300),
        ("type", None),
        ("type", "x" * 101),
        ("data", None),
        ("data", []),
        ("data", {}),
        ("data", {"object": "pi_1"}),
        ("data", {"object": {"id": "x" * 256}}),
    ],
)
def test_an_event_of_an_unknown_shape_is_kept_for_a_person(house: House, name: str, value: Any):
    event = without(paid_page(house), name)
    body = write_payload(event if value is None else {**event, name: value})

    assert post(house, body) == 200

    kept = StripeEvent.objects.get()
    assert (kept.state, bytes(kept.body or b"")) == ("parked", body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created", None),
        ("created", "yesterday"),
        ("created", 10**15),
        ("created", True),
        ("api_version", None),
        ("api_version", "2026-11-02." + "x" * 40),
        ("livemode", "no"),
        ("note", "a guest typed \x00 and half a \ud83d"),
        ("note", float("inf")),
        ("note", 10**400),
    ],
)
def test_an_event_with_something_odd_beside_its_object_is_applied(house: House, name: str, value: Any):
    event = without(paid_page(house), name)
    body = json.dumps(event if value is None else {**event, name: value}).encode()

    assert post(house, body) == 200
    house.run_jobs()

    kept = StripeEvent.objects.get()
    assert (kept.state, kept.event_id) == ("applied", event["id"])


def test_what_postgres_cannot_hold_is_kept_as_it_came(house: House):
    body = json.dumps({**paid_page(house), "note": "\x00"}).encode()

    post(house, body)

    event = StripeEvent.objects.get()
    assert bytes(event.body or b"") == body
    assert event.payload["note"] == "\ufffd"


def test_json_that_only_postgres_refuses_is_kept_for_a_person(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("payments.event_reading._clean", lambda value: value)
    body = json.dumps({**paid_page(house), "note": "\x00"}).encode()

    assert post(house, body) == 200

    event = StripeEvent.objects.get()
    assert (event.state, event.payload, bytes(event.body or b"")) == ("parked", {}, body)


def test_a_later_release_reads_what_an_earlier_one_parked(house: House, monkeypatch: pytest.MonkeyPatch):
    event = paid_page(house)
    with monkeypatch.context() as patch:
        patch.setattr("payments.event_reading._find_problem", lambda *_: "a shape of next year")
        post(house, write_payload(event))
        webhooks.apply_again(event_id=event["id"], actor=ROSA)
        house.run_jobs()
        assert StripeEvent.objects.get().state == "parked"

    assert tasks.apply_stripe_event(event["id"]) == "parked", "nobody asked for it"
    webhooks.apply_again(event_id=event["id"], actor=ROSA)
    house.run_jobs()

    assert StripeEvent.objects.get().state == "applied"
    assert PaymentAttempt.objects.get().state == AttemptState.SUCCEEDED


def test_what_was_parked_is_told_at_once(house: House):
    post(house, b"{")

    (sentence,) = sentences_of("events_parked", house.now)
    assert sentence.startswith("1 ")
    assert unfinished.find_overdue(unfinished.PARKED, now=house.now).count == 1
    house.wait(minutes=6)
    tasks.defer_unfinished_work()
    refute_enqueued(tasks.apply_stripe_event)


# --- Whose it is ------------------------------------------------------------------------------------------


def event_about(house: House, type_: str, subject: Document) -> Document:
    return {**house.events()[-1], "id": f"evt_{uuid4().hex}", "type": type_, "data": {"object": subject}}


def test_an_object_whose_metadata_is_gone_is_known_by_its_id(house: House):
    event = paid_page(house)
    subject = {**event["data"]["object"]}
    subject["metadata_v2"] = subject.pop("metadata")

    post(house, write_payload({**event, "data": {"object": subject}}))
    house.run_jobs()

    assert StripeEvent.objects.get().state == "applied"
    assert PaymentAttempt.objects.get().state == AttemptState.SUCCEEDED


def test_an_object_without_metadata_that_nobody_knows_is_for_a_person(house: House):
    house.book()

    house.post_event(event_about(house, "payment_intent.succeeded", {"id": "pi_nobody"}))
    house.run_jobs()

    assert StripeEvent.objects.get().state == "parked"


def charge_by_hand(house: House, attempt: PaymentAttempt, **changes: Any) -> Document:
    """Return an intent that somebody made at Stripe with the metadata of an attempt of ours."""
    usual = {
        "amount": attempt.amount_minor,
        "currency": attempt.currency,
        "customer": attempt.stripe_customer_id,
        "allowed_payment_method_types": ["card"],
        "metadata": {"attempt": str(attempt.key)},
    }
    intent = house.stripe.client.v1.payment_intents.create({**usual, **changes})  # type: ignore[typeddict-item]
    return dict(intent.to_dict())


def test_an_intent_beside_the_one_that_paid_opens_a_difference(house: House):
    booking = house.book_due()
    house.charge(booking)
    attempt = last_attempt(balance_of(booking))
    other = charge_by_hand(house, attempt)

    for _ in range(2):
        house.post_event(event_about(house, "payment_intent.succeeded", other))
    house.run_jobs()

    assert {event.state for event in StripeEvent.objects.all()} == {"parked"}
    found = ReconciliationBreak.objects.get()
    assert (found.kind, found.stripe_id) == (BreakKind.CHARGE_DIFFERS, other["id"])
    assert found.booking == booking
    assert attempt.stripe_intent_id is not None
    assert attempt.stripe_intent_id in found.ours
    tasks.reconcile_with_stripe()
    found.refresh_from_db()
    assert found.closed_at is None, "the same amount is no reason to call it the same charge"
    house.stripe.client.v1.payment_intents.cancel(other["id"])


@pytest.mark.parametrize("is_told", [True, False])
def test_nothing_is_charged_while_an_intent_names_an_attempt_that_has_another(house: House, is_told: bool):
    """Told of by an event, or seen by the driver before it asks for the balance."""
    booking = house.book_due()
    deposit = booking.payments.get(kind="deposit").attempts.get()
    customer = booking.account.stripe_customer_id
    other = charge_by_hand(house, deposit, customer=customer)
    if is_told:
        house.post_event(event_about(house, "payment_intent.created", other))
        house.run_jobs()

    house.charge(booking)

    assert house.charges(booking) == []
    found = ReconciliationBreak.objects.get()
    assert mismatches.close(break_id=found.pk, by="Ana", explanation="made at the desk", now=house.now)
    assert found.stripe_id == other["id"]
    house.charge(booking)
    assert house.charges(booking) == [booking.quote.balance_minor]
    house.stripe.client.v1.payment_intents.cancel(other["id"])


@pytest.mark.parametrize(
    "changes",
    [{"amount": 2000}, {"currency": "usd"}, {"customer": ""}, {"metadata": {}}],
)
def test_an_intent_that_is_not_what_a_claimed_attempt_asked_for_opens_a_difference(
    house: House, changes: Document
):
    booking = house.book_due()
    with pytest.raises(ZeroDivisionError):
        charge_until_claimed(house, booking)
    attempt = live_attempt(booking)
    other_customer = house.stripe.client.v1.customers.create().id
    changes = {**changes, "customer": other_customer} if changes.get("customer") == "" else changes
    if "metadata" in changes:
        changes = {"metadata": {"attempt": str(booking.payments.get(kind="deposit").attempts.get().key)}}
    other = charge_by_hand(house, attempt, **changes)
    named = {**other, "metadata": {"attempt": str(attempt.key)}}

    house.post_event(event_about(house, "payment_intent.created", named))
    house.run_jobs()

    attempt.refresh_from_db()
    assert attempt.stripe_intent_id in (None, house_intent(house, attempt))
    assert ReconciliationBreak.objects.filter(stripe_id=other["id"]).exists()
    assert StripeEvent.objects.get().state == "parked"
    forget_whose_it_is(house, other["id"])


def forget_whose_it_is(house: House, intent_id: str) -> None:
    """Do what a person does at Stripe with an intent that names an attempt of ours and is not its own."""
    house.stripe.find("payment_intent", intent_id)["metadata"] = {}
    house.stripe.client.v1.payment_intents.cancel(intent_id)


def charge_until_claimed(house: House, booking: Any) -> None:
    """Let a worker die before it asks Stripe for anything."""
    create = house.gateway.create_intent

    def die(request: Any) -> Any:
        raise ZeroDivisionError

    try:
        house.gateway.create_intent = die  # type: ignore[method-assign]
        house.charge(booking)
    finally:
        house.gateway.create_intent = create  # type: ignore[method-assign]


def house_intent(house: House, attempt: PaymentAttempt) -> str | None:
    intents = house.gateway.list_intents(customer_id=attempt.stripe_customer_id)
    return next((intent.id for intent in intents if intent.attempt_key == str(attempt.key)), None)


def test_an_intent_of_another_attempt_is_refused_before_the_database_refuses_it(house: House):
    paid = house.book_due()
    house.charge(paid)
    taken = last_attempt(balance_of(paid))
    other = house.book_due()
    with pytest.raises(ZeroDivisionError):
        charge_until_claimed(house, other)
    attempt = live_attempt(other)

    intent = make_intent(attempt, id=taken.stripe_intent_id)
    with pytest.raises(ContradictoryEvidence, match="another's"):
        outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=house.now)

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.CLAIMED


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 1},
        {"currency": "usd"},
        {"customer_id": "cus_of_somebody_else"},
        {"attempt_key": str(uuid4())},
        {"attempt_key": ""},
    ],
)
def test_each_part_of_an_identity_is_compared_when_an_intent_is_stored(house: House, changes: Document):
    booking = house.book_due()
    with pytest.raises(ZeroDivisionError):
        charge_until_claimed(house, booking)
    attempt = live_attempt(booking)

    with pytest.raises(ContradictoryEvidence):
        outcomes.store_intent(attempt_id=attempt.pk, intent=make_intent(attempt, **changes), now=house.now)

    attempt.refresh_from_db()
    assert attempt.stripe_intent_id is None


def test_an_intent_with_another_id_than_the_stored_one_pays_nothing(house: House):
    booking = house.book_due()
    with pytest.raises(ZeroDivisionError):
        charge_until_claimed(house, booking)
    attempt = outcomes.store_intent(
        attempt_id=live_attempt(booking).pk, intent=make_intent(live_attempt(booking)), now=house.now
    )

    with pytest.raises(ContradictoryEvidence):
        outcomes.record_intent(
            attempt_id=attempt.pk, intent=make_intent(attempt, id="pi_another"), now=house.now
        )

    assert balance_of(booking).status == PaymentStatus.PROCESSING
    outcomes.record_intent(
        attempt_id=attempt.pk, intent=make_intent(attempt, status="canceled"), now=house.now
    )


def test_applying_goes_on_after_a_difference_was_opened(house: House):
    event = paid_page(house)
    house.post_event(event)
    assert stripe_event.apply_stripe_event(event_id=event["id"], gateway=house.gateway, now=house.now)

    assert PaymentAttempt.objects.get().payment.booking.status == BookingStatus.CONFIRMED
