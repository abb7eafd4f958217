"""Cancellations, changes of dates and pauses in the middle of a charge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from bookings.models import Booking, BookingStatus
from payments import services
from payments.date_changes import change_dates
from payments.policies import PaymentKind
from procrastinate_tasks.queues import pauses
from tests.factories import BASE_URL
from tests.faults.conftest import HouseMaker
from tests.faults.life import Life
from tests.faults.points import Side
from tests.faults.staging import (
    LAST_LOOK,
    at,
    begin,
    book_many,
    end_well,
)
from tests.faults.strikes import Striker
from tests.house import account_of

pytestmark = pytest.mark.slow  # minutes: make faults runs it


def points_of_a_charge(new_house: HouseMaker) -> list[str]:
    with new_house() as house:
        life = begin(house)
        book_many(life, 1)
        striker = Striker(house)
        life.visitor = striker
        life.run_jobs()
        return sorted(str(point) for point in striker.visits)


def try_at_each_point(
    new_house: HouseMaker, happens: Callable[[Life, Booking], object], holds: Callable[[Life, Booking], None]
) -> None:
    for point in points_of_a_charge(new_house):
        with new_house() as house:
            life = begin(house)
            (booking,) = book_many(life, 1)
            life.visitor = at(point, Side.AFTER, lambda life=life, booking=booking: happens(life, booking))  # type: ignore[misc]
            life.run_jobs()
            life.drain()
            holds(life, booking)
            life.assert_all_holds()


def test_a_cancellation_at_each_point_of_a_charge_is_settled_once(new_house: HouseMaker):
    def cancel(life: Life, booking: Booking) -> None:
        for _ in range(2):
            services.request_cancellation(
                booking=Booking.objects.get(pk=booking.pk), base_url=BASE_URL, now=life.house.now
            )

    def is_settled_once(life: Life, booking: Booking) -> None:
        assert Booking.objects.get(pk=booking.pk).status in (BookingStatus.CANCELLED, BookingStatus.COMPLETED)
        both = life.house.charges(booking) + life.house.charges(booking, PaymentKind.FEE)
        assert both == [booking.quote.balance_minor]

    try_at_each_point(new_house, cancel, is_settled_once)


def test_a_change_of_dates_at_each_point_of_a_charge_leaves_one_sum(new_house: HouseMaker):
    def shorten(life: Life, booking: Booking) -> None:
        nights = booking.quote.nights
        try:
            change_dates(
                booking=Booking.objects.get(pk=booking.pk),
                check_in=nights.lower,
                check_out=nights.upper - timedelta(days=1),
                base_url=BASE_URL,
                now=life.house.now,
            )
        except Exception as refusal:  # Whatever it is refused for: what was agreed stays.
            life.refusals.append(type(refusal).__name__)

    def has_one_sum(life: Life, booking: Booking) -> None:
        assert len(life.house.charges(booking)) == 1
        assert life.house.taken(booking) == account_of(booking).owed_minor

    try_at_each_point(new_house, shorten, has_one_sum)


def test_a_pause_at_each_point_of_a_charge_takes_nothing_until_it_ends(new_house: HouseMaker):
    for point in points_of_a_charge(new_house):
        with new_house() as house:
            _assert_a_pause_holds(begin(house), point)


def _assert_a_pause_holds(life: Life, point: str) -> None:
    house = life.house
    (booking,) = book_many(life, 1)
    before: list[int] = []

    def pause() -> None:
        pauses.pause_queue(queue="payments", by="Ana", reason="the bank is investigating")
        before.append(house.calls().count("payment_intents/pi/confirm"))

    life.visitor = at(point, Side.AFTER, pause)
    life.run_jobs()
    house.wait(minutes=10)
    life.act(house.run_janitor)
    # The one that was permitted already is on its way.
    permitted = 1 if point == LAST_LOOK else 0
    assert house.calls().count("payment_intents/pi/confirm") - before[0] <= permitted, point
    pauses.resume_queue(queue="payments")

    end_well(life)
    assert house.charges(booking) == [booking.quote.balance_minor]
