"""Marks that others write at Stripe, and answers about something else: nothing of theirs is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command

from bookings.models import Booking
from payments import tasks
from payments.exceptions import ContradictoryEvidence, MemoryLost
from payments.ledger import mismatches, refunds
from payments.models import Dispute, ReconciliationBreak, Refund, StripeEvent
from payments.policies import PaymentKind
from payments.protocols.memory import compare
from payments.services import request_cancellation
from tests.factories import BASE_URL
from tests.house import House, account_of, live_attempt

pytestmark = pytest.mark.django_db

BY_HAND = 50_000


@pytest.fixture
def unbalanced(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose bank knows of money that its rows will never explain: a person has to."""
    monkeypatch.setattr(House, "assert_invariants", lambda house: None)
    return house


def charge_by_hand(
    house: House, booking: Booking, *, amount: int = BY_HAND, marks: Mapping[str, str] | None = None
) -> str:
    """Charge a guest's card as somebody does with Stripe's own pages or with a script; return the intent."""
    account = account_of(booking)
    intent = house.stripe.client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": "mxn",
            "customer": account.stripe_customer_id,
            "payment_method": account.stripe_payment_method_id,
            "allowed_payment_method_types": ["card"],
            "metadata": dict(marks or {}),
            "confirm": True,
        }
    )
    return intent.id


def charge_again_by_hand(house: House, booking: Booking) -> str:
    """Repeat a deposit at Stripe with all that it had, its metadata too."""
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get()
    return charge_by_hand(house, booking, marks={"attempt": str(deposit.key)})


def explain(stripe_id: str, house: House) -> None:
    found = ReconciliationBreak.objects.get(stripe_id=stripe_id)
    assert mismatches.close(break_id=found.pk, by="Ana", explanation="sold at the door", now=house.now)


def state_of_event(object_id: str) -> str:
    return StripeEvent.objects.filter(object_id=object_id).latest("created_at").state


@pytest.mark.parametrize("told_by", ["event", "night"])
def test_a_refund_of_a_second_charge_that_names_ours_is_no_refund_of_ours(unbalanced: House, told_by: str):
    house, booking = unbalanced, unbalanced.book()
    second = charge_again_by_hand(house, booking)
    house.control.refund_by_hand(second)

    if told_by == "event":
        house.deliver_events()
    else:
        tasks.reconcile_with_stripe()

    assert not Refund.objects.exists()
    assert account_of(booking).refunded_minor == 0


@pytest.mark.parametrize("names_ours", [True, False])
def test_a_dispute_of_a_charge_by_hand_stops_collection_though_the_charge_is_explained(
    unbalanced: House, names_ours: bool
):
    house, booking = unbalanced, unbalanced.book()
    charge = charge_again_by_hand if names_ours else charge_by_hand
    intent_id = charge(house, booking)
    house.deliver_events()
    explain(intent_id, house)

    dispute_id = house.control.open_dispute(intent_id)
    house.deliver_events()

    assert not Dispute.objects.exists()
    assert account_of(booking).disputed_minor == 0
    assert state_of_event(dispute_id) == "parked"
    house.wait_until(booking.balance_due_at)
    assert house.charge(booking) == "locked"
    house.control.close_dispute(dispute_id, status="won")
    house.deliver_events()
    assert house.charge(booking) == "succeeded"


def test_a_dispute_of_a_charge_by_hand_is_found_in_the_night(unbalanced: House):
    house, booking = unbalanced, unbalanced.book_due()
    dispute_id = house.control.open_dispute(charge_by_hand(house, booking))

    tasks.reconcile_with_stripe()
    tasks.reconcile_with_stripe()

    assert ReconciliationBreak.objects.get(stripe_id=dispute_id).booking == booking


def test_a_dispute_of_a_strangers_charge_is_nobodys(unbalanced: House):
    house = unbalanced
    stranger = house.stripe.client.v1.payment_intents.create(
        {
            "amount": BY_HAND,
            "currency": "mxn",
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
        }
    )
    dispute_id = house.control.open_dispute(stranger.id)

    house.deliver_events()

    assert state_of_event(dispute_id) == "ignored"
    assert not ReconciliationBreak.objects.exists()


def test_money_that_names_a_page_which_ended_unpaid_is_told_at_once_and_not_taken_twice(unbalanced: House):
    house, booking = unbalanced, unbalanced.book_due(card="pm_card_chargeDeclined")
    house.charge(booking)
    house.open_page(booking)
    page = live_attempt(booking)
    house.wait(hours=1)
    house.run_janitor()
    house.change_card(booking, "pm_card_visa")

    paid = charge_by_hand(house, booking, amount=page.amount_minor, marks={"attempt": str(page.key)})
    house.deliver_events()

    page.refresh_from_db()
    assert (page.state, page.stripe_intent_id) == ("expired", None)
    assert state_of_event(paid) == "parked"
    assert ReconciliationBreak.objects.get(stripe_id=paid).booking == booking
    house.wait(days=1)
    assert house.charge(booking) == "locked"


@pytest.mark.parametrize("mark", ["yes", "1", "x" * 500, "\x00", ""])
def test_a_mark_that_is_none_of_ours_locks_nobodys_money(house: House, mark: str):
    booking, other = house.book(), house.book()
    deposit = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get().stripe_intent_id
    refund: Any = {"payment_intent": deposit, "amount": BY_HAND, "metadata": {"refund": mark}}
    house.stripe.client.v1.refunds.create(refund)
    house.deliver_events()

    compare(gateway=house.gateway, now=house.now)

    assert account_of(booking).refunded_minor == BY_HAND
    house.wait_until(other.balance_due_at)
    assert house.charge(other) == "succeeded"


@pytest.mark.parametrize("mark", ["balance:²", "balance:" + "9" * 20, "balance:1", "", "\x00:1", "nothing:1"])
def test_a_rebuild_flags_what_names_no_payment_of_ours_and_goes_on(unbalanced: House, mark: str):
    house, booking = unbalanced, unbalanced.book_due()
    marks = {"attempt": str(uuid4()), "booking": str(booking.public_id), "payment": mark}
    foreign = charge_by_hand(house, booking, marks=marks)
    with pytest.raises(MemoryLost):
        compare(gateway=house.gateway, now=house.now)

    call_command("rebuild_from_stripe", "--apply", stdout=StringIO())

    assert ReconciliationBreak.objects.get(stripe_id=foreign).booking == booking
    compare(gateway=house.gateway, now=house.now)


OTHERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("id", lambda answer: replace(answer, id="re_another")),
    ("key", lambda answer: replace(answer, refund_key=str(uuid4()))),
    ("charge", lambda answer: replace(answer, intent_id="pi_another")),
    ("amount", lambda answer: replace(answer, amount_minor=answer.amount_minor - 1)),
]


@pytest.mark.parametrize(("what", "another"), OTHERS, ids=[what for what, _ in OTHERS])
def test_an_answer_about_another_refund_is_not_taken_for_ours(
    house: House, what: str, another: Callable[[Any], Any]
):
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()
    refund = Refund.objects.get()
    answer = house.gateway.retrieve_refund(refund.stripe_refund_id or "")
    before = Refund.objects.values().get()

    with pytest.raises(ContradictoryEvidence):
        refunds.record_refund(refund_id=refund.pk, answer=another(answer), now=house.now)

    assert Refund.objects.values().get() == before
    assert refunds.record_refund(refund_id=refund.pk, answer=answer, now=house.now).state == "succeeded"
