"""Charges whose money takes days: off-session, and on a payment page."""

from __future__ import annotations

import pytest

from reyes_estancias.local_stripe.cards import find_card
from reyes_estancias.local_stripe.charging import SETTLES_AFTER_SECONDS
from reyes_estancias.local_stripe.checkout import pay
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import BALANCE, DEPOSIT, charge_saved_card, create_session

LATER, NEVER = "pm_card_settlesLater", "pm_card_neverSettles"


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def let_days_pass(world: LocalStripe) -> None:
    world.clock.advance(seconds=SETTLES_AFTER_SECONDS)
    world.core.tick(now=world.clock.now)


@pytest.mark.parametrize(
    ("card", "status", "taken"), [(LATER, "succeeded", BALANCE), (NEVER, "requires_payment_method", 0)]
)
def test_a_charge_is_processing_until_its_money_comes_or_not(world, card, status, taken):
    intent = charge_saved_card(world, card=card)
    assert (intent.status, world.taken()) == ("processing", 0)

    let_days_pass(world)

    assert world.client.v1.payment_intents.retrieve(intent.id).status == status
    assert world.taken() == taken


@pytest.mark.parametrize(
    ("card", "told", "payment_status", "taken"),
    [
        (LATER, "checkout.session.async_payment_succeeded", "paid", DEPOSIT),
        (NEVER, "checkout.session.async_payment_failed", "unpaid", 0),
    ],
)
def test_a_page_is_complete_and_unpaid_until_its_money_comes(world, card, told, payment_status, taken):
    made = create_session(world)
    session = world.find("checkout.session", made.id)
    world.core.run(
        lambda call: pay(call, session, find_card(card), email="ana@example.com", name="Ana"),
        now=world.clock.now,
    )
    read = world.client.v1.checkout.sessions.retrieve
    assert (read(made.id).status, read(made.id).payment_status, world.taken()) == ("complete", "unpaid", 0)

    let_days_pass(world)

    assert (read(made.id).payment_status, world.taken()) == (payment_status, taken)
    assert told in world.event_types()
