"""Shortening a stay gives back what cancelling the nights given up would: nobody walks round the fee."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bookings.models import Booking
from payments.billing import cancellation_cost
from payments.date_changes import change_dates
from payments.services import request_cancellation
from tests.factories import BASE_URL, make_property
from tests.house import House, account_of

ARRIVAL = date(2026, 12, 10)


def book(house: House, nights: int) -> Booking:
    return house.book(
        home=make_property(nightly_rate_minor=200_000, cleaning_fee_minor=10_000),
        check_in=ARRIVAL,
        nights=nights,
    )


def shorten(house: House, booking: Booking, nights: int, *, later: int = 0) -> None:
    check_in = booking.quote.check_in + timedelta(days=later)
    change_dates(
        booking=booking,
        check_in=check_in,
        check_out=check_in + timedelta(days=nights),
        base_url=BASE_URL,
        now=house.now,
    )
    house.run_jobs()
    booking.refresh_from_db()


def cancel(house: House, booking: Booking) -> None:
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()


def cost_of_cancelling(house: House, booking: Booking) -> int:
    paid = account_of(booking).paid_minor
    return cancellation_cost(booking, paid_minor=paid, asked_at=house.now).kept_minor


def days_before(house: House, booking: Booking, days: int) -> None:
    house.wait_until(booking.arrival_at - timedelta(days=days))


def test_the_smallest_input_on_the_eve_of_arrival_gives_nothing_back(house: House):
    """30 nights, 55,796.00 pesos, of which 16,738.80 are paid: two nights remain, and then none."""
    booking = book(house, 30)
    assert (booking.quote.total_minor, booking.quote.deposit_minor) == (5_579_600, 1_673_880)
    days_before(house, booking, 1)
    at_once = cost_of_cancelling(house, booking)

    shorten(house, booking, 2)
    assert house.refunds(booking) == []
    cancel(house, booking)

    assert at_once == 2_789_800
    assert house.taken(booking) == at_once


@pytest.mark.parametrize("days", [8, 7, 1, 0])
def test_shortening_and_cancelling_costs_what_cancelling_does_on_every_day(house: House, days: int):
    booking = book(house, 20)
    days_before(house, booking, days)
    at_once = cost_of_cancelling(house, booking)

    shorten(house, booking, 5)
    cancel(house, booking)

    assert house.taken(booking) == at_once


def test_eight_days_before_arrival_the_nights_are_given_up_for_nothing(house: House):
    booking = book(house, 20)
    days_before(house, booking, 8)

    shorten(house, booking, 2)

    assert house.taken(booking) == booking.quote.total_minor
    assert booking.changes.get().kept_minor == 0


def test_seven_days_before_arrival_half_of_them_is_owed_and_charged_with_the_balance(house: House):
    booking = book(house, 20)
    old_total = booking.quote.total_minor
    days_before(house, booking, 7)

    shorten(house, booking, 10)
    house.wait_until(booking.balance_due_at)
    house.run_jobs()

    kept = (old_total - booking.quote.total_minor) // 2
    assert booking.changes.get().kept_minor == kept
    assert house.taken(booking) == booking.quote.total_minor + kept
    assert booking.settled_at is None or account_of(booking).due_minor == 0


def test_after_arrival_a_shorter_stay_costs_what_it_did(house: House):
    booking = book(house, 10)
    total = booking.quote.total_minor
    house.wait_until(booking.balance_due_at)
    house.charge(booking)

    shorten(house, booking, 4)

    assert house.refunds(booking) == []
    assert house.taken(booking) == total
    assert account_of(booking).due_minor == 0


def test_moving_far_away_first_does_not_make_shortening_free(house: House):
    booking = book(house, 20)
    days_before(house, booking, 3)
    at_once = cost_of_cancelling(house, booking)

    shorten(house, booking, 20, later=60)
    shorten(house, booking, 5)
    cancel(house, booking)

    assert house.taken(booking) == at_once


def test_moving_to_fewer_nights_elsewhere_is_giving_nights_up_too(house: House):
    booking = book(house, 20)
    days_before(house, booking, 3)
    at_once = cost_of_cancelling(house, booking)

    shorten(house, booking, 2, later=60)
    assert house.refunds(booking) == []
    house.wait(days=8)  # The stay that remains can be cancelled for nothing again; what was kept stays kept.
    kept = booking.changes.get().kept_minor
    cancel(house, booking)

    assert house.taken(booking) == kept < at_once


def test_giving_nights_up_bit_by_bit_costs_the_same(house: House):
    booking = book(house, 20)
    days_before(house, booking, 3)
    at_once = cost_of_cancelling(house, booking)

    for nights in (15, 12, 9, 3):
        shorten(house, booking, nights)
    cancel(house, booking)

    assert abs(house.taken(booking) - at_once) <= 4  # Each half is rounded for itself.
