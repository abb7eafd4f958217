"""Refunds: in full, in part, too much, and those that take their time or come back."""

from __future__ import annotations

import pytest
import stripe

from reyes_estancias.local_stripe import refunds
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import BALANCE, charge_saved_card


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


def refund(world: LocalStripe, intent: stripe.PaymentIntent, amount: int | None = None) -> stripe.Refund:
    params: stripe.params.RefundCreateParams = {"payment_intent": intent.id, "metadata": {"row": "9"}}
    if amount is not None:
        params["amount"] = amount
    return world.client.v1.refunds.create(params)


def test_a_refund_gives_everything_back(world):
    intent = charge_saved_card(world)

    given = refund(world, intent)

    assert (given.status, given.amount) == ("succeeded", BALANCE)
    assert world.find("refund", given.id)["metadata"] == {"row": "9"}
    assert [line.kind for line in world.statement()] == ["charge", "refund"]
    assert world.taken() == 0
    assert world.find("charge", str(intent.latest_charge))["refunded"] is True


def test_parts_add_up_and_no_more_than_the_charge_comes_back(world):
    intent = charge_saved_card(world)
    refund(world, intent, 200_000)
    refund(world, intent, 300_000)

    with pytest.raises(stripe.InvalidRequestError, match=r"\$3,000.00.*unrefunded amount.*\$2,000.00"):
        refund(world, intent, 300_000)
    refund(world, intent)
    with pytest.raises(stripe.InvalidRequestError) as error:
        refund(world, intent, 1)

    assert error.value.code == "charge_already_refunded"
    assert world.taken() == 0
    listed = world.client.v1.refunds.list({"payment_intent": intent.id})
    assert [each.amount for each in listed] == [200_000, 300_000, 200_000]


def test_an_unpaid_intent_has_nothing_to_refund(world):
    intent = world.client.v1.payment_intents.create({"amount": BALANCE, "currency": "mxn"})

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        refund(world, intent)


def test_a_refund_names_one_payment(world):
    intent = charge_saved_card(world)

    with pytest.raises(stripe.InvalidRequestError) as missing:
        world.client.v1.refunds.create({"amount": 100})
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        world.client.v1.refunds.create({"payment_intent": intent.id, "charge": str(intent.latest_charge)})

    assert missing.value.code == "parameter_missing"


def test_a_slow_refund_is_pending_first_and_moves_money_when_it_settles(world):
    intent = charge_saved_card(world, card="pm_card_pendingRefund")

    given = refund(world, intent)

    assert (given.status, world.taken()) == ("pending", BALANCE)
    world.clock.advance(seconds=refunds.SETTLES_AFTER_SECONDS)
    assert world.client.v1.refunds.retrieve(given.id).status == "succeeded"
    assert world.taken() == 0
    assert "refund.updated" in world.event_types()


def test_a_refund_that_fails_later_brings_the_money_back_to_the_merchant(world):
    intent = charge_saved_card(world, card="pm_card_refundFail")

    given = refund(world, intent)

    assert (given.status, world.taken()) == ("succeeded", 0)
    world.clock.advance(seconds=refunds.SETTLES_AFTER_SECONDS)
    failed = world.client.v1.refunds.retrieve(given.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert [line.kind for line in world.statement()] == ["charge", "refund", "refund_failed"]
    assert world.taken() == BALANCE
    assert "refund.failed" in world.event_types()


def test_after_a_failed_refund_the_charge_can_be_refunded_again(world):
    intent = charge_saved_card(world, card="pm_card_refundFail")
    refund(world, intent)
    world.clock.advance(seconds=refunds.SETTLES_AFTER_SECONDS)

    assert refund(world, intent).amount == BALANCE
