"""Stripe does not answer, too late, too seldom, or with what is true no more."""

from __future__ import annotations

import pytest

from payments.policies import AttemptState, PaymentStatus
from payments.protocols import janitor
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from tests.factories import balance_of
from tests.faults.conftest import HouseMaker
from tests.faults.points import Point, Side
from tests.faults.staging import (
    CONFIRM,
    at,
    begin,
    book_many,
    end_well,
    seeded,
)
from tests.faults.strikes import Plan, Strike, live
from tests.house import CONFIRM_INTENT, live_attempt

pytestmark = pytest.mark.slow  # minutes: make faults runs it


def test_a_storm_of_429_delays_charges_and_loses_none(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        bookings = book_many(life, 40)
        rng = seeded(7)

        def refuse_every_second(point: Point, side: Side) -> None:
            if point.kind == "call" and side is Side.BEFORE and rng.random() < 0.5:
                house.stripe.core.faults.insert(0, Fault(FaultKind.RATE_LIMITED))

        life.visitor = refuse_every_second
        for _ in range(3):
            life.work(minutes=1)
        end_well(life)
        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]


def test_after_two_hours_without_stripe_all_is_charged_within_half_an_hour(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        bookings = book_many(life, 10)
        house.arm(FaultKind.RESET_BEFORE, path="*", method="*", count=100_000)
        for _ in range(12):
            life.work(minutes=10)
        assert all(house.charges(each) == [] for each in bookings)
        house.control.clear_faults()

        for _ in range(6):
            life.work(minutes=5)

        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]
        assert {balance_of(each).status for each in bookings} == {PaymentStatus.PAID}
        end_well(life)


def test_an_outage_in_the_middle_of_many_confirmations_charges_each_once(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house, events="lost")
        bookings = book_many(life, 40)
        house.control.arm_fault(Fault(FaultKind.RESET_AFTER, path=CONFIRM_INTENT, count=10, skip=15))
        house.control.arm_fault(Fault(FaultKind.UNAVAILABLE, path=CONFIRM_INTENT, count=10, skip=15))
        life.run_jobs()

        end_well(life)
        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]


def test_an_answer_after_29_seconds_meets_nobody_at_its_attempt(new_house: HouseMaker):
    looks = []

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)

        def take_29_seconds() -> None:
            house.wait(seconds=29)
            looks.append(janitor.resolve_unfinished(gateway=house.gateway, now=house.now).looked_at)
            assert live_attempt(booking).state == AttemptState.CONFIRMING

        life.visitor = at(CONFIRM, Side.AFTER, take_29_seconds)
        life.run_jobs()

        assert looks == [0]
        assert balance_of(booking).status == PaymentStatus.PAID
        end_well(life)


@pytest.mark.parametrize(
    "scenario", ["balance", "decline_then_link", "cancelled_in_doubt", "refund_comes_back"]
)
def test_an_answer_out_of_date_decides_nothing(new_house: HouseMaker, scenario: str):
    with new_house() as house:
        visits = live(Plan(scenario), house).visits
    reads = [point for point in sorted(visits) if point.name.startswith("GET") and "/" in point.name]
    assert reads
    for point in reads:
        for visit in range(1, min(visits[point], 3) + 1):
            with new_house() as house:
                live(Plan(scenario, (Strike(point, FaultKind.STALE, visit),)), house)
