"""Armed faults: what the SDK reports, and whether money moved."""

from __future__ import annotations

import pytest
import stripe

from reyes_estancias.local_stripe.faults import Fault, FaultKind, InvalidFault, parse_fault, strike
from reyes_estancias.local_stripe.settings import change_settings
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import BALANCE, charge_saved_card, make_customer


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


@pytest.mark.parametrize(
    ("kind", "error", "status", "taken"),
    [
        (FaultKind.RATE_LIMITED, stripe.RateLimitError, 429, 0),
        (FaultKind.LOCK_TIMEOUT, stripe.RateLimitError, 429, 0),
        (FaultKind.UNAVAILABLE, stripe.APIError, 503, 0),
        (FaultKind.CONFLICT, stripe.APIError, 409, 0),
        (FaultKind.UNAUTHORIZED, stripe.AuthenticationError, 401, 0),
        (FaultKind.ERROR_BEFORE, stripe.APIError, 500, 0),
        (FaultKind.ERROR_AFTER, stripe.APIError, 500, BALANCE),
        (FaultKind.RESET_BEFORE, stripe.APIConnectionError, None, 0),
        (FaultKind.RESET_AFTER, stripe.APIConnectionError, None, BALANCE),
    ],
)
def test_a_fault_strikes_before_or_after_the_money_moves(world, kind, error, status, taken):
    world.arm(Fault(kind, method="POST", path="/v1/payment_intents/*/confirm"))

    with pytest.raises(error) as raised:
        charge_saved_card(world)

    assert raised.value.http_status == status
    assert world.taken() == taken


def test_what_is_above_the_calls_a_second_is_refused_until_the_second_is_over(world):
    change_settings(world.core.store, {"calls_a_second": 2})

    at_once = [_outcome(lambda: make_customer(world)) for _ in range(3)]
    world.clock.advance(seconds=1)
    later = [_outcome(lambda: make_customer(world)) for _ in range(3)]

    assert (at_once[-1], later) == ("RateLimitError", [None, None, "RateLimitError"])


@pytest.mark.parametrize("kind", [FaultKind.SLOW_BEFORE, FaultKind.SLOW_AFTER])
def test_a_slow_request_is_carried_out(world, kind):
    world.arm(Fault(kind, path="*/confirm", seconds=31))

    charge_saved_card(world)

    waits = world.transport.answers[-1].wait_seconds
    assert waits == (31 if kind is FaultKind.SLOW_AFTER else 0)
    assert world.taken() == BALANCE


def test_a_fault_strikes_as_often_as_armed_and_only_where_it_matches(world):
    world.arm(Fault(FaultKind.RATE_LIMITED, method="POST", path="/v1/customers", count=2))

    charge = [_outcome(lambda: make_customer(world)) for _ in range(3)]

    assert charge == ["RateLimitError", "RateLimitError", None]
    assert world.core.faults == []


def test_a_fault_can_let_some_requests_pass_first():
    faults = [Fault(FaultKind.UNAVAILABLE, path="/v1/customers", skip=2)]

    struck = [strike(faults, method="GET", path="/v1/customers") is not None for _ in range(4)]

    assert struck == [False, False, True, False]


def test_faults_on_the_same_path_strike_in_the_order_they_were_armed():
    faults = [Fault(FaultKind.CONFLICT), Fault(FaultKind.UNAVAILABLE)]

    struck = [strike(faults, method="GET", path="/v1/customers") for _ in range(2)]

    assert [fault.kind for fault in struck if fault] == ["conflict", "unavailable"]


def test_the_request_log_names_the_fault_and_the_replay(world):
    world.arm(Fault(FaultKind.ERROR_AFTER, path="/v1/customers"))
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            world.client.v1.customers.create({}, {"idempotency_key": "K"})

    first, second = world.core.requests

    assert (first.fault, first.is_replay, first.status) == ("error_after", False, 500)
    assert (second.fault, second.is_replay, second.idempotency_key) == (None, True, "K")


@pytest.mark.parametrize("document", [{}, {"kind": "earthquake"}, {"kind": "conflict", "colour": "red"}])
def test_a_fault_that_does_not_exist_is_refused(document):
    with pytest.raises(InvalidFault, match="kinds are rate_limited"):
        parse_fault(document)


def _outcome(call):
    try:
        call()
    except stripe.StripeError as error:
        return type(error).__name__
    return None


def test_an_answer_that_is_out_of_date_tells_of_the_time_before_the_last_change(world):
    intent = charge_saved_card(world)
    world.arm(Fault(FaultKind.STALE, method="GET"))

    read = world.client.v1.payment_intents.retrieve

    assert [read(intent.id).status for _ in range(2)] == ["requires_confirmation", "succeeded"]
