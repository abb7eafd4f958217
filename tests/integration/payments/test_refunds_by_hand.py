"""Money that somebody gives back at Stripe: booked once, and what is promised later is what is left."""

from __future__ import annotations

from itertools import permutations

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from bookings.models import Booking, BookingStatus
from bookings.money import format_pesos
from bookings.services import complete_departed
from payments import tasks
from payments.exceptions import OutcomeUnknown
from payments.ledger import locking, refunds
from payments.ledger.debts import find_debt
from payments.models import LedgerTransfer, Refund
from payments.panels.money_today import read_money_panel
from payments.policies import RefundState
from payments.queries import paid_for
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL
from tests.house import CREATE_REFUND, House, account_of

BY_HAND = 50_000


def deposit_intent(booking: Booking) -> str:
    attempt = booking.payments.get(kind="deposit").attempts.get(state="succeeded")
    assert attempt.stripe_intent_id is not None
    return attempt.stripe_intent_id


def refund_by_hand(house: House, booking: Booking, amount: int | None = BY_HAND) -> str:
    return house.control.refund_by_hand(deposit_intent(booking), amount=amount)


def cancel(house: House, booking: Booking) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)


def states(booking: Booking) -> dict[RefundState, int]:
    """Return what the refunds of a booking come to, by state."""
    sums: dict[RefundState, int] = {}
    for refund in Refund.objects.filter(attempt__payment__booking=booking):
        state = RefundState(refund.state)
        sums[state] = sums.get(state, 0) + refund.amount_minor
    return sums


@pytest.mark.parametrize("told_by", ["event", "night"])
def test_a_refund_from_the_dashboard_is_a_row_and_the_cancellation_promises_what_is_left(
    house: House, client, told_by: str
):
    booking = house.book()
    deposit = booking.quote.deposit_minor
    made = refund_by_hand(house, booking)

    if told_by == "event":
        house.deliver_events()
    else:
        assert tasks.reconcile_with_stripe().endswith("repaired=1 open=0")

    refund = Refund.objects.get()
    assert (refund.stripe_refund_id, refund.amount_minor, refund.state) == (made, BY_HAND, "succeeded")
    assert paid_for(booking) == deposit - BY_HAND
    page = client.get(reverse("cancel_booking", args=[booking.access_token])).content.decode()
    assert f"{(deposit - BY_HAND) / 100:,.2f}" in page
    cancel(house, booking)
    house.run_jobs()
    assert sorted(house.refunds(booking)) == sorted([BY_HAND, deposit - BY_HAND])
    assert house.taken(booking) == 0


def test_it_is_posted_once_in_every_order_of_its_events_and_with_the_night(house: House):
    booking = house.book()
    house.run_jobs()
    before = len(house.events())
    refund_by_hand(house, booking)
    events = [event for event in house.events()[before:] if "refund" in event["type"]]
    orders = list(permutations([*events, events[0] | {"id": "evt_again"}]))

    for order in orders:
        with transaction.atomic():
            for event in order:
                assert house.post_event(event) == 200
            house.run_jobs()
            tasks.reconcile_with_stripe()
            assert LedgerTransfer.objects.filter(source_type="refund").count() == 1
            assert account_of(booking).refunded_minor == BY_HAND
            house.assert_invariants()
            transaction.set_rollback(True)

    assert len(orders) > 1
    tasks.reconcile_with_stripe()


@pytest.mark.parametrize("by_hand", [BY_HAND, None], ids=["in part", "in full"])
def test_our_refund_that_is_more_than_is_left_is_cut_to_what_is_left(house: House, by_hand: int | None):
    """Nobody has told us of the other refund when ours is sent: Stripe's refusal is the news."""
    booking = house.book()
    cancel(house, booking)
    assert tasks.settle_cancellation(booking.pk, BASE_URL) == "cancelled"
    refund_by_hand(house, booking, by_hand)

    report = house.run_jobs()

    deposit = booking.quote.deposit_minor
    assert report.failed == 0
    assert house.taken(booking) == 0
    assert sum(house.refunds(booking)) == deposit
    assert states(booking) == {RefundState.VOID: deposit, RefundState.SUCCEEDED: deposit}
    assert (account_of(booking).refunding_minor, account_of(booking).refunded_minor) == (0, deposit)


def test_a_refund_that_waits_is_cut_as_soon_as_the_other_is_known(house: House):
    booking = house.book()
    house.arm(FaultKind.UNAVAILABLE, path=CREATE_REFUND, count=4)
    cancel(house, booking)
    house.run_jobs()
    refund_by_hand(house, booking)
    house.control.clear_faults()

    assert tasks.reconcile_with_stripe().endswith("open=0")

    rest = Refund.objects.get(state=RefundState.REQUESTED)
    assert rest.amount_minor == booking.quote.deposit_minor - BY_HAND
    assert rest.replaces is not None
    house.run_jobs()
    assert house.taken(booking) == 0


def test_our_own_refunds_in_part_leave_room_for_those_of_others(house: House):
    booking = house.book_due()
    house.charge(booking)
    first = refund_by_hand(house, booking, 1_000)
    second = refund_by_hand(house, booking, 2_000)

    house.deliver_events()

    assert set(Refund.objects.values_list("stripe_refund_id", flat=True)) == {first, second}
    assert account_of(booking).refunded_minor == 3_000


def test_a_dashboard_refund_that_comes_back_is_owed_again(house: House):
    booking = house.book()
    made = refund_by_hand(house, booking)
    house.deliver_events()
    house.wait(days=2)
    house.control.fail_refund(made)

    house.deliver_events()

    assert Refund.objects.get().state == RefundState.FAILED
    assert account_of(booking).refunded_minor == 0


def test_a_slow_dashboard_refund_is_followed_to_its_end_without_events(house: House):
    booking = house.book(card="pm_card_pendingRefund")
    refund_by_hand(house, booking)
    tasks.reconcile_with_stripe()
    assert Refund.objects.get().state == RefundState.SUBMITTED

    house.wait(minutes=2)
    house.run_janitor()

    assert Refund.objects.get().state == RefundState.SUCCEEDED
    assert account_of(booking).refunded_minor == BY_HAND


def test_a_refund_by_hand_after_the_stay_is_a_debt_and_breaks_no_rule(house: House):
    booking = house.book_due()
    assert house.charge(booking) == "succeeded"
    complete_departed(now=booking.departure_at)

    refund_by_hand(house, booking)
    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.COMPLETED
    assert find_debt(booking) == BY_HAND
    house.assert_invariants()


def test_a_refund_by_hand_of_what_a_cancellation_keeps_is_a_debt_and_breaks_no_rule(house: House):
    booking = house.book_due()
    assert house.charge(booking) == "succeeded"
    cancel(house, booking)
    house.run_jobs()
    kept = house.taken(booking)
    assert kept > BY_HAND

    refund_by_hand(house, booking)
    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert (house.taken(booking), find_debt(booking)) == (kept - BY_HAND, BY_HAND)
    house.assert_invariants()


def test_what_guests_owe_is_a_figure_of_just_the_rows_of_its_list(house: House, admin_client: Client):
    """A balance that was refused, and what a refund by hand has left, which no payment collects."""
    refused, paid = house.book_due(card="pm_card_chargeCustomerFail"), house.book()
    house.charge(refused)
    refund_by_hand(house, paid)
    house.deliver_events()

    figure = next(each for each in read_money_panel().figures if each.url == "/admin/payments/debt/")
    page = admin_client.get(figure.url)

    rows = [debt.amount_minor for debt in page.context["cl"].result_list]
    rest = [account.uncollected_minor for account in page.context["uncollected"]]
    assert (len(rows), rest) == (1, [BY_HAND])
    assert figure.value == f"2 · {format_pesos(sum(rows) + sum(rest))}"
    assert f": 1 · {format_pesos(BY_HAND)}</h2>" in page.content.decode()


def test_a_refund_of_ours_that_stripe_has_made_already_makes_no_room_for_one_by_hand(house: House):
    """Two of ours wait, the newer was made and its answer lost: the older is what does not fit any more."""
    booking = house.book()
    with locking.locked_booking(booking.pk) as locked:
        older = booking.quote.deposit_minor - BY_HAND
        for amount in (older, BY_HAND):
            refunds.request_refund(booking=locked, amount_minor=amount, reason="test", now=house.now)
    newer = Refund.objects.get(amount_minor=BY_HAND)
    house.arm(FaultKind.RESET_AFTER, path=CREATE_REFUND)
    with pytest.raises(OutcomeUnknown):
        tasks.refund_payment(newer.pk)
    made = refund_by_hand(house, booking, older)

    for event in house.events():
        if event["data"]["object"]["id"] == made:
            house.post_event(event)
            tasks.apply_stripe_event(event["id"])  # before the jobs of ours have another try
    house.run_jobs()

    newer.refresh_from_db()
    assert newer.state == RefundState.SUCCEEDED
    assert states(booking) == {RefundState.SUCCEEDED: older + BY_HAND, RefundState.VOID: older}
    assert sorted(house.refunds(booking)) == sorted([older, BY_HAND])
