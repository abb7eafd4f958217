"""Idempotency keys behave as at Stripe: what is kept, what is not, for how long."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from reyes_estancias.local_stripe.core import Admitted, Answer, Core, Request
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from tests.stripe_transport import BASE_URL, TEST_KEY, LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import (
    BALANCE,
    confirm_off_session,
    create_intent,
    make_customer,
    save_card,
)

DAY = 24 * 3600


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def seed(world: LocalStripe, card: str = "pm_card_visa") -> tuple[str, str]:
    customer = make_customer(world)
    return customer, save_card(world, customer, card=card)


def last_answer(world: LocalStripe) -> Answer:
    return world.transport.answers[-1]


def is_replay(world: LocalStripe) -> bool:
    return last_answer(world).headers.get("Idempotent-Replayed") == "true"


def post(world: LocalStripe, path: str, body: str, key: str | None) -> Request:
    headers = {"authorization": f"Bearer {TEST_KEY}"} | ({"idempotency-key": key} if key else {})
    return Request("POST", path, headers, body, world.clock.now)


def test_the_same_key_gives_the_first_answer_again_and_acts_once(world):
    customer, method = seed(world)

    first = create_intent(world, customer=customer, payment_method=method, key="K")
    assert not is_replay(world)
    again = create_intent(world, customer=customer, payment_method=method, key="K")

    assert is_replay(world)
    assert again.id == first.id
    assert world.core.store.count("payment_intent") == 1


def test_a_replay_shows_the_first_answer_even_when_the_object_has_moved_on(world):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method, key="K")
    confirm_off_session(world, intent.id)

    again = create_intent(world, customer=customer, payment_method=method, key="K")

    assert again.status == "requires_confirmation"
    assert world.client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_other_parameters_under_the_key_are_an_error(world):
    customer, method = seed(world)
    create_intent(world, customer=customer, payment_method=method, key="K")

    with pytest.raises(stripe.IdempotencyError) as error:
        create_intent(world, customer=customer, payment_method=method, amount=BALANCE + 1, key="K")

    assert error.value.http_status == 400
    assert world.core.store.count("payment_intent") == 1


def test_another_endpoint_under_the_key_is_an_error(world):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method, key="K")

    with pytest.raises(stripe.IdempotencyError):
        confirm_off_session(world, intent.id, key="K")

    assert world.statement() == []


def test_a_decline_is_kept_and_given_again_even_when_the_card_would_now_pass(world):
    customer, method = seed(world, "pm_card_chargeCustomerFail")
    intent = create_intent(world, customer=customer, payment_method=method)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            confirm_off_session(world, intent.id, key="K")

    assert is_replay(world)
    assert last_answer(world).status == 402
    assert len([row for row in world.core.store.rows("charge") if row["status"] == "failed"]) == 1


@pytest.mark.parametrize("kind", [FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER])
def test_a_500_is_kept_and_given_again(world, kind):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method)
    world.arm(Fault(kind, path="*/confirm"))

    for _ in range(2):
        with pytest.raises(stripe.APIError) as error:
            confirm_off_session(world, intent.id, key="K")
        assert error.value.http_status == 500

    assert is_replay(world)
    taken = {FaultKind.ERROR_BEFORE: 0, FaultKind.ERROR_AFTER: BALANCE}[kind]
    assert world.taken() == taken


def test_a_new_key_after_a_500_that_acted_is_refused_and_takes_nothing_more(world):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method)
    world.arm(Fault(FaultKind.ERROR_AFTER, path="*/confirm"))
    with pytest.raises(stripe.APIError):
        confirm_off_session(world, intent.id, key="K1")

    with pytest.raises(stripe.InvalidRequestError, match="already succeeded"):
        confirm_off_session(world, intent.id, key="K2")

    assert world.taken() == BALANCE


@pytest.mark.parametrize(
    "kind", [FaultKind.RATE_LIMITED, FaultKind.LOCK_TIMEOUT, FaultKind.CONFLICT, FaultKind.UNAVAILABLE]
)
def test_refusals_before_execution_are_not_kept(world, kind):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method)
    world.arm(Fault(kind, path="*/confirm"))
    with pytest.raises(stripe.StripeError):
        confirm_off_session(world, intent.id, key="K")

    assert confirm_off_session(world, intent.id, key="K").status == "succeeded"
    assert not is_replay(world)


def test_a_validation_failure_is_not_kept(world):
    customer, method = seed(world)
    with pytest.raises(stripe.InvalidRequestError):
        create_intent(world, customer=customer, payment_method=method, amount=5, key="K")

    assert create_intent(world, customer=customer, payment_method=method, key="K").amount == BALANCE


def test_a_refusal_by_state_is_kept(world):
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method)
    world.client.v1.payment_intents.cancel(intent.id)

    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
            confirm_off_session(world, intent.id, key="K")

    assert is_replay(world)


def test_a_key_is_forgotten_after_a_day(world):
    customer, method = seed(world)
    first = create_intent(world, customer=customer, payment_method=method, key="K")

    world.clock.advance(seconds=DAY - 1)
    kept = create_intent(world, customer=customer, payment_method=method, key="K")
    world.clock.advance(seconds=1)
    fresh = create_intent(world, customer=customer, payment_method=method, key="K")

    assert kept.id == first.id
    assert fresh.id != first.id


def test_two_requests_with_one_key_at_once_give_one_conflict(world):
    customer, method = seed(world)
    body = f"amount={BALANCE}&currency=mxn&customer={customer}&payment_method={method}"
    request = post(world, "/v1/payment_intents", body, "K")

    first = world.core.begin(request)
    second = world.core.begin(request)
    assert isinstance(first, Admitted)
    done = world.core.finish(first, now=world.clock.now)
    third = world.core.begin(request)

    assert isinstance(second, Answer)
    assert second.status == 409
    assert json.loads(second.body)["error"]["code"] == "idempotency_key_in_use"
    assert isinstance(third, Answer)
    assert third.body == done.body


def test_a_key_on_a_reading_request_means_nothing(world):
    customer = make_customer(world)
    before = world.client.v1.customers.retrieve(customer, {}, {"idempotency_key": "K"})
    world.client.v1.customers.update(customer, {"name": "Ana"})

    after = world.client.v1.customers.retrieve(customer, {}, {"idempotency_key": "K"})

    assert (before.name, after.name) == (None, "Ana")


def test_a_key_longer_than_255_characters_is_refused(world):
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        world.client.v1.customers.create({}, {"idempotency_key": "k" * 256})


def test_the_sdk_retries_a_lost_answer_with_the_same_key_and_gets_the_first(monkeypatch):
    world = make_local_stripe(max_network_retries=2)
    monkeypatch.setattr(stripe.HTTPClient, "_sleep_time_seconds", lambda self, num_retries: 0)
    customer, method = seed(world)
    intent = create_intent(world, customer=customer, payment_method=method)
    world.arm(Fault(FaultKind.RESET_AFTER, path="*/confirm"))

    confirmed = confirm_off_session(world, intent.id, key="K")

    assert confirmed.status == "succeeded"
    assert is_replay(world)
    assert world.taken() == BALANCE


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "confirm", "cancel", "refund"]),
        st.sampled_from(["K1", "K2", "K3"]),
        st.sampled_from([None, *FaultKind]),
        st.sampled_from([0, 60, DAY]),
    ),
    max_size=14,
)


@given(steps=STEPS, card=st.sampled_from(["pm_card_visa", "pm_card_chargeCustomerFail"]))
def test_whatever_is_repeated_or_broken_no_intent_is_ever_charged_twice(steps: Any, card: str) -> None:
    world = make_local_stripe()
    customer, method = seed(world, card)
    known: list[str] = []

    for verb, key, fault, seconds in steps:
        world.clock.advance(seconds=seconds)
        if fault is not None:
            world.arm(Fault(fault))
        path, body = _request(verb, known, customer, method)
        answer = _send(world.core, post(world, path, body, f"{verb}-{key}"))
        if verb == "create" and answer.status == 200:
            known += _ids_in(answer)

    lines = world.statement()
    charged = [line.payment_intent for line in lines if line.kind == "charge"]
    assert len(charged) == len(set(charged))
    for intent in charged:
        assert sum(line.taken for line in lines if line.payment_intent == intent) >= 0
    received = sum(row["amount_received"] for row in world.core.store.rows("payment_intent"))
    assert received == BALANCE * len(charged)


def _ids_in(answer: Answer) -> list[str]:
    """Return the id of what was made, unless a fault made the answer unreadable."""
    try:
        document = json.loads(answer.body)
    except json.JSONDecodeError:
        return []
    return [document["id"]] if isinstance(document, dict) and "id" in document else []


def _request(verb: str, known: list[str], customer: str, method: str) -> tuple[str, str]:
    intent = known[0] if known else "pi_none"
    create = f"amount={BALANCE}&currency=mxn&customer={customer}&payment_method={method}"
    return {
        "create": ("/v1/payment_intents", create),
        "confirm": (f"/v1/payment_intents/{intent}/confirm", "off_session=true"),
        "cancel": (f"/v1/payment_intents/{intent}/cancel", ""),
        "refund": ("/v1/refunds", f"payment_intent={intent}&amount={BALANCE // 2}"),
    }[verb]


def _send(core: Core, request: Request) -> Answer:
    assert core.base_url == BASE_URL
    return core.answer(request)
