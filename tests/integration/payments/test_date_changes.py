"""A guest moves a stay: nights, price, balance and its charge move together, or not at all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import transaction

from bookings.exceptions import NotConfirmed, SleptNightsMoved, StayUnavailable
from bookings.models import Booking, Quote
from payments import tasks
from payments.date_changes import change_dates
from payments.exceptions import ChangeNeedsPayment, OutcomeUnknown, PaymentUnderWay
from payments.policies import PaymentKind, PaymentStatus
from payments.services import request_cancellation
from procrastinate_tasks.testing import assert_enqueued, refute_enqueued
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, CREATE_REFUND, House, account_of

ARRIVAL = date(2026, 12, 10)
DECLINED = "pm_card_chargeCustomerFail"


def move(house: House, booking: Booking, *, check_in: date, nights: int) -> Quote:
    quote = change_dates(
        booking=booking,
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        base_url=BASE_URL,
        now=house.now,
    )
    booking.refresh_from_db()
    return quote


def test_the_same_nights_later_move_the_charge_and_leave_the_balance_as_it_is(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    balance = balance_of(booking)

    move(house, booking, check_in=ARRIVAL + timedelta(days=5), nights=3)

    assert balance_of(booking) == balance
    job = assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": booking.pk})
    assert job.scheduled_at == booking.balance_due_at
    house.wait_until(booking.balance_due_at)
    house.run_jobs()
    assert house.charges(booking) == [balance.amount_minor]


def test_fewer_nights_supersede_the_balance_which_is_charged_once_at_its_new_amount(house: House):
    booking = house.book(check_in=ARRIVAL, nights=5)
    old = balance_of(booking)
    deposit = booking.quote.deposit_minor

    quote = move(house, booking, check_in=ARRIVAL + timedelta(days=1), nights=3)

    old.refresh_from_db()
    assert old.status == PaymentStatus.VOID
    assert balance_of(booking).amount_minor == quote.total_minor - deposit
    house.wait_until(booking.balance_due_at)
    house.run_jobs()
    assert house.charges(booking) == [quote.total_minor - deposit]
    assert house.taken(booking) == quote.total_minor


def test_a_deposit_above_the_new_total_is_paid_back_and_nothing_is_left_to_charge(house: House):
    booking = house.book(check_in=ARRIVAL, nights=40)
    deposit = booking.quote.deposit_minor

    quote = move(house, booking, check_in=ARRIVAL, nights=2)
    house.run_jobs()

    assert house.refunds(booking) == [deposit - quote.total_minor]
    assert house.taken(booking) == quote.total_minor
    assert booking.settled_at is not None
    refute_enqueued(tasks.charge_balance_for_booking)


@pytest.mark.parametrize("fault", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.UNAVAILABLE])
def test_the_excess_is_paid_back_once_also_under_faults(house: House, fault: FaultKind):
    booking = house.book(check_in=ARRIVAL, nights=40)
    house.arm(fault, path=CREATE_REFUND, count=2)

    quote = move(house, booking, check_in=ARRIVAL, nights=2)
    for _ in range(3):
        house.run_jobs()
        house.wait(minutes=3)

    assert len(house.refunds(booking)) == 1
    assert house.taken(booking) == quote.total_minor


def test_a_change_that_is_rolled_back_leaves_dates_balance_and_job_as_they_were(house: House):
    booking = house.book(check_in=ARRIVAL, nights=5)
    before = (booking.quote_id, booking.balance_due_at, balance_of(booking))

    with transaction.atomic():
        move(house, booking, check_in=ARRIVAL + timedelta(days=20), nights=3)
        transaction.set_rollback(True)

    booking.refresh_from_db()
    assert (booking.quote_id, booking.balance_due_at, balance_of(booking)) == before
    job = assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": booking.pk})
    assert job.scheduled_at == booking.balance_due_at


def test_moving_back_and_forth_leaves_one_job_and_one_balance(house: House):
    booking = house.book(check_in=ARRIVAL, nights=5)

    for nights in (4, 3, 3):
        move(house, booking, check_in=ARRIVAL + timedelta(days=nights), nights=nights)

    assert booking.changes.count() == 2  # what is asked for twice is done, and told, once
    jobs = tasks.charge_balance_for_booking
    assert assert_enqueued(jobs, {"booking_id": booking.pk}).scheduled_at == booking.balance_due_at
    house.wait_until(booking.balance_due_at)
    assert house.run_jobs().failed == 0
    assert len(house.charges(booking)) == 1
    assert house.taken(booking) == booking.quote.total_minor


def test_a_stay_that_costs_more_is_not_moved_unless_the_guest_agreed_to_pay_and_nothing_moves(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    quote_id = booking.quote_id

    with pytest.raises(ChangeNeedsPayment, match=r"\w+"):
        move(house, booking, check_in=ARRIVAL, nights=6)

    booking.refresh_from_db()
    assert booking.quote_id == quote_id
    assert not booking.changes.exists()
    assert booking.night_blocks.get(active=True).nights == booking.quote.nights


def test_other_nights_at_the_same_price_after_everything_was_paid_are_applied(house: House):
    """The deposit can have paid everything already: then the stay moves on, and nothing is charged."""
    booking = house.book(check_in=ARRIVAL, nights=40)
    move(house, booking, check_in=ARRIVAL, nights=2)
    house.run_jobs()

    quote = move(house, booking, check_in=ARRIVAL + timedelta(days=3), nights=2)

    assert booking.quote == quote
    refute_enqueued(tasks.charge_balance_for_booking)
    assert house.taken(booking) == quote.total_minor


def test_dates_do_not_change_while_the_card_is_being_charged(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    with pytest.raises(PaymentUnderWay):
        move(house, booking, check_in=booking.quote.check_in, nights=2)


def test_dates_do_not_change_while_a_payment_page_is_open(house: House):
    booking = house.book_due(card=DECLINED, nights=4)
    house.charge(booking)
    house.open_page(booking)

    with pytest.raises(PaymentUnderWay):
        move(house, booking, check_in=booking.quote.check_in, nights=3)


def test_a_declined_balance_of_a_stay_that_is_shortened_after_arrival_is_owed_in_full(house: House):
    booking = house.book_due(card=DECLINED, nights=5)
    total = booking.quote.total_minor
    house.charge(booking)
    house.change_card(booking, "pm_card_visa")

    move(house, booking, check_in=booking.quote.check_in, nights=3)
    house.run_jobs()

    assert house.taken(booking) == total


def test_nights_already_slept_do_not_move(house: House):
    booking = house.book_due(nights=5)

    with pytest.raises(SleptNightsMoved):
        move(house, booking, check_in=booking.quote.check_in + timedelta(days=1), nights=4)


def test_a_stay_does_not_move_onto_nights_of_somebody_else(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    house.hold(home=booking.home, check_in=ARRIVAL + timedelta(days=4))

    with pytest.raises(StayUnavailable):
        move(house, booking, check_in=ARRIVAL + timedelta(days=2), nights=3)

    assert balance_of(booking).status == PaymentStatus.PENDING


def test_a_booking_that_is_being_cancelled_does_not_move(house: House):
    booking = house.book(check_in=ARRIVAL)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    with pytest.raises(NotConfirmed):
        move(house, booking, check_in=ARRIVAL + timedelta(days=1), nights=3)


def test_a_hold_does_not_move(house: House):
    booking = house.hold(check_in=ARRIVAL)

    with pytest.raises(NotConfirmed):
        move(house, booking, check_in=ARRIVAL + timedelta(days=1), nights=3)


def test_everything_a_moved_and_cheaper_stay_paid_comes_back_when_it_is_cancelled_in_time(house: House):
    booking = house.book(check_in=ARRIVAL, nights=40)
    deposit = booking.quote.deposit_minor
    move(house, booking, check_in=ARRIVAL, nights=2)
    house.run_jobs()

    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    assert sum(house.refunds(booking)) == deposit
    assert house.taken(booking) == 0
    assert house.charges(booking, PaymentKind.DEPOSIT) == [deposit]
    assert account_of(booking).due_minor == 0
