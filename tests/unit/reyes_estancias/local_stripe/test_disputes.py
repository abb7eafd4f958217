"""Disputes at the local Stripe: what they move, what they refuse, and what each step is called."""

from __future__ import annotations

import pytest
import stripe

from reyes_estancias.local_stripe.control import Control, ControlRefused
from tests.house import InProcessControl
from tests.stripe_transport import LocalStripe, make_local_stripe
from tests.unit.reyes_estancias.local_stripe.flows import BALANCE, charge_saved_card


@pytest.fixture
def world() -> LocalStripe:
    return make_local_stripe()


@pytest.fixture
def control(world: LocalStripe) -> Control:
    return InProcessControl(world.core, world.clock)


def disputes_of(world: LocalStripe, intent: stripe.PaymentIntent) -> list[stripe.Dispute]:
    return list(world.client.v1.disputes.list({"payment_intent": intent.id}))


def events_of_disputes(world: LocalStripe) -> list[str]:
    return [type_.removeprefix("charge.dispute.") for type_ in world.event_types() if ".dispute." in type_]


def test_the_card_that_disputes_takes_the_money_back_at_once(world):
    intent = charge_saved_card(world, card="pm_card_createDispute")

    (dispute,) = disputes_of(world, intent)

    assert (dispute.status, dispute.amount, dispute.is_charge_refundable) == (
        "needs_response",
        BALANCE,
        False,
    )
    assert [each.amount for each in dispute.balance_transactions] == [-BALANCE]
    assert world.taken() == 0
    assert events_of_disputes(world) == ["created", "funds_withdrawn"]
    assert world.find("charge", str(intent.latest_charge))["disputed"] is True


def test_an_inquiry_moves_no_money_and_its_charge_can_be_given_back(world):
    intent = charge_saved_card(world, card="pm_card_createDisputeInquiry")

    (inquiry,) = disputes_of(world, intent)
    world.client.v1.refunds.create({"payment_intent": intent.id})

    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert world.client.v1.disputes.retrieve(inquiry.id).status == "warning_closed"
    assert [line.kind for line in world.statement()] == ["charge", "refund"]


@pytest.mark.parametrize("end", ["open", "lost"])
def test_a_disputed_charge_is_not_refunded(world, control, end):
    intent = charge_saved_card(world)
    dispute_id = control.open_dispute(intent.id, amount=1_000)
    if end == "lost":
        control.close_dispute(dispute_id, status="lost")

    with pytest.raises(stripe.InvalidRequestError) as error:
        world.client.v1.refunds.create({"payment_intent": intent.id, "amount": 1_000})
    with pytest.raises(ControlRefused, match="charge_disputed"):
        control.refund_by_hand(intent.id)

    assert error.value.code == "charge_disputed"


def test_a_dispute_that_is_won_brings_the_money_back_and_one_that_is_lost_does_not(world, control):
    won, lost = charge_saved_card(world), charge_saved_card(world)
    for intent, end in ((won, "won"), (lost, "lost")):
        dispute_id = control.open_dispute(intent.id)
        control.submit_evidence(dispute_id)
        control.close_dispute(dispute_id, status=end)

    assert world.taken() == BALANCE
    assert [each.amount for each in disputes_of(world, won)[0].balance_transactions] == [-BALANCE, BALANCE]
    assert events_of_disputes(world)[-4:] == ["created", "funds_withdrawn", "updated", "closed"]
    assert "funds_reinstated" in events_of_disputes(world)


def test_an_inquiry_may_become_a_chargeback(world, control):
    intent = charge_saved_card(world)
    dispute_id = control.open_dispute(intent.id, is_inquiry=True)

    control.escalate_dispute(dispute_id)

    assert world.taken() == 0
    assert disputes_of(world, intent)[0].status == "needs_response"


def test_a_dispute_ends_once_and_a_charge_is_disputed_once_at_a_time(world, control):
    intent = charge_saved_card(world)
    dispute_id = control.open_dispute(intent.id)
    with pytest.raises(ControlRefused, match="cannot be disputed"):
        control.open_dispute(intent.id)
    control.close_dispute(dispute_id, status="lost")

    for status in ("won", "warning_closed", "no such end"):
        with pytest.raises(ControlRefused):
            control.close_dispute(dispute_id, status=status)


def test_a_refund_from_the_dashboard_has_no_key_and_no_metadata(world, control):
    intent = charge_saved_card(world)

    made = control.refund_by_hand(intent.id, amount=500)

    refund = world.find("refund", made)
    assert (refund["amount"], refund["metadata"]) == (500, {})
    with pytest.raises(ControlRefused, match="greater than unrefunded amount"):
        control.refund_by_hand(intent.id, amount=BALANCE)
