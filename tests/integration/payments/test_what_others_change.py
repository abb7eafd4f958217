"""What Stripe says and our rows exclude, and marks and clocks that are wrong: kept, and never guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from bookings.models import Booking, BookingStatus
from payments import clocks, tasks
from payments.exceptions import ClocksDisagree, ContradictoryEvidence, OutcomeUnknown
from payments.gateway import DisputeAnswer
from payments.models import Dispute, ReconciliationBreak, StripeEvent, StripeMemory
from payments.policies import DisputeStatus, IntentStatus
from payments.protocols import memory
from reyes_estancias.local_stripe.faults import FaultKind
from tests.house import CONFIRM_INTENT, CREATE_INTENT, House, account_of, last_attempt, live_attempt

pytestmark = pytest.mark.django_db


def deposit_intent(booking: Booking) -> str:
    intent_id = booking.payments.get(kind="deposit").attempts.get().stripe_intent_id
    assert intent_id is not None
    return intent_id


def applied_again(type_: str) -> str:
    event = StripeEvent.objects.filter(type=type_).latest("received_at")
    return tasks.apply_stripe_event(event.pk, again=True)


def less(answer: Any) -> Any:
    return replace(answer, amount_minor=answer.amount_minor - 1)


@pytest.mark.parametrize(
    ("type_", "method", "say"),
    [
        ("refund.created", "retrieve_refund", less),
        ("charge.refunded", "find_refunds", lambda answers: map(less, answers)),
    ],
)
def test_a_refund_that_is_not_what_it_was_is_parked_with_a_difference(
    house: House, monkeypatch: pytest.MonkeyPatch, type_: str, method: str, say: Callable[[Any], Any]
):
    booking = house.book()
    house.control.refund_by_hand(deposit_intent(booking), amount=50_000)
    house.deliver_events()
    ask = getattr(house.gateway, method)

    with monkeypatch.context() as patch:
        patch.setattr(type(house.gateway), method, lambda _self, *args: say(ask(*args)))
        with pytest.raises(ContradictoryEvidence):  # It may be an answer out of date: it is asked for again.
            applied_again(type_)
        assert not ReconciliationBreak.objects.exists()
        house.wait(hours=1)
        assert applied_again(type_) == "parked"

    difference = ReconciliationBreak.objects.get()
    assert (difference.kind, difference.booking) == ("refund_differs", booking)
    assert applied_again(type_) == "applied"
    assert account_of(booking).refunded_minor == 50_000


def test_a_dispute_of_a_charge_that_was_declined_here_is_parked_with_a_difference(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due(card="pm_card_chargeDeclined")
    house.charge(booking)
    attempt = last_attempt(booking.payments.get(kind="balance"))
    assert attempt.stripe_intent_id is not None
    intent = house.gateway.retrieve_intent(attempt.stripe_intent_id)
    dispute = DisputeAnswer(
        id="dp_1",
        intent_id=intent.id,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=intent.amount_minor,
        currency="mxn",
        reason="fraudulent",
        is_refundable=False,
        due_by=None,
        opened_at=house.now,
        movements=(),
    )
    told = {
        **house.events()[-1],
        "id": "evt_dispute",
        "type": "charge.dispute.created",
        "data": {"object": {"id": "dp_1", "payment_intent": intent.id}},
    }
    assert house.post_event(told) == 200

    with monkeypatch.context() as patch:
        patch.setattr(type(house.gateway), "retrieve_dispute", lambda *_: dispute)
        paid = replace(intent, status=IntentStatus.SUCCEEDED)
        patch.setattr(type(house.gateway), "retrieve_intent", lambda *_: paid)
        with pytest.raises(ContradictoryEvidence):
            tasks.apply_stripe_event("evt_dispute")
        house.wait(hours=1)
        assert tasks.apply_stripe_event("evt_dispute") == "parked"

    assert ReconciliationBreak.objects.get(kind="charge_differs").booking == booking
    assert not Dispute.objects.exists()


def test_less_money_than_was_asked_for_confirms_nothing_until_it_is_explained(house: House):
    hold = house.hold()
    house.open_page(hold)
    house.pay_page(hold)
    attempt, store = live_attempt(hold), house.stripe.core.store
    intent = next(each for each in store.rows("payment_intent") if each["status"] == "succeeded")
    store.put("payment_intent", intent["id"], {**intent, "amount_received": intent["amount"] - 100})

    house.deliver_events()

    differences = ReconciliationBreak.objects.values_list("kind", "booking")
    assert set(differences) == {("charge_differs", hold.pk)}
    assert Booking.objects.get(pk=hold.pk).status == BookingStatus.PENDING
    store.put("payment_intent", intent["id"], intent)
    attempt.refresh_from_db()
    assert attempt.state == "open"


@pytest.mark.parametrize("is_anothers", [True, False], ids=["another booking", "none"])
def test_a_mark_of_another_booking_does_not_hide_whose_customer_was_charged(house: House, is_anothers: bool):
    booking = house.book()
    mark = house.hold().public_id if is_anothers else uuid4()
    made = house.stripe.client.v1.payment_intents.create(
        {
            "amount": 5_000,
            "currency": "mxn",
            "customer": account_of(booking).stripe_customer_id,
            "metadata": {"booking": str(mark)},
        }
    )

    house.deliver_events()

    assert ReconciliationBreak.objects.get(stripe_id=made.id).booking == booking
    assert StripeEvent.objects.get(object_id=made.id).state == "parked"
    house.stripe.client.v1.payment_intents.cancel(made.id)


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_jumped_writes_nothing_down_as_read_or_compared(
    house: House, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
):
    tasks.fetch_missed_events()
    known = StripeMemory.objects.values_list("events_until", "compared_at").get()
    house.wait(minutes=5)

    def read_other_clock() -> datetime:
        return timezone.now() - ahead

    monkeypatch.setattr(clocks, "read_database_clock", read_other_clock)
    with pytest.raises(ClocksDisagree):
        tasks.fetch_missed_events()
    with pytest.raises(ClocksDisagree):
        memory.compare(gateway=house.gateway, now=house.now)

    assert StripeMemory.objects.values_list("events_until", "compared_at").get() == known


@pytest.mark.parametrize(
    "change",
    [{"account": "acct_1other"}, {"livemode": True}, {"api_version": "2019-01-01", "livemode": True}],
)
@pytest.mark.parametrize("made", [CREATE_INTENT, CONFIRM_INTENT])
def test_what_another_account_or_mode_tells_of_an_attempt_moves_nothing(
    house: House, change: dict[str, object], made: str
):
    """Whatever its signature: what it names is asked for under our own key, and is not there."""
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=made)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    attempt = live_attempt(booking)
    paid = next(each for each in house.events() if each["type"] == "payment_intent.succeeded")
    theirs = {**paid["data"]["object"], "id": "pi_other", "metadata": {"attempt": str(attempt.key)}}
    told = {**paid, **change, "id": "evt_other", "data": {"object": theirs}}

    assert house.post_event(told) == 200
    assert tasks.apply_stripe_event("evt_other") == "ignored"

    attempt.refresh_from_db()
    assert attempt.stripe_intent_id != "pi_other"
    assert house.charges(booking) == []
    house.wait(minutes=1)
    house.run_jobs()
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_the_same_event_with_another_body_is_the_one_that_came_first(house: House):
    booking = house.book()
    event = next(each for each in house.events() if each["type"] == "payment_intent.succeeded")
    assert house.post_event(event) == 200
    other = {**event, "type": "charge.dispute.created", "data": {"object": {"id": "dp_1"}}}

    assert house.post_event(other) == 200

    row = StripeEvent.objects.get(pk=event["id"])
    assert (row.type, row.object_id, row.repetitions) == (event["type"], deposit_intent(booking), 1)
    house.run_jobs()
    assert not Dispute.objects.exists()
