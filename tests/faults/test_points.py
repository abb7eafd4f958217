"""Every point at which a process can die, and every call that can be answered badly, in every protocol."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.catalogue import POINTS
from tests.faults.conftest import HouseMaker
from tests.faults.points import Point, Side
from tests.faults.scenarios import SCENARIOS
from tests.faults.strikes import Plan, Strike, live, plan_answers, plan_deaths, random_plan

pytestmark = pytest.mark.slow  # minutes: make faults runs it

SEED = int(os.environ.get("FAULTS_SEED", "1"))
LIVES = int(os.environ.get("FAULTS_LIVES", "40"))
IS_THOROUGH = bool(os.environ.get("FAULTS_THOROUGH"))

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


def visit(new_house: HouseMaker, scenario: str) -> dict[Point, int]:
    """Live a scenario that nothing strikes, and return the points it comes by."""
    with new_house() as house:
        return live(Plan(scenario), house).visits


def own_points(new_house: HouseMaker, scenario: str) -> dict[Point, int]:
    """Return the points that are struck in this scenario: its own, or all that it comes by."""
    visits = visit(new_house, scenario)
    return {
        point: count
        for point, count in visits.items()
        if IS_THOROUGH or POINTS[str(point)].scenario == scenario
    }


def assert_held(new_house: HouseMaker, plans: list[Plan]) -> None:
    broken = []
    for plan in plans:
        try:
            with new_house() as house:
                live(plan, house)
        except AssertionError as error:
            broken.append(f"{plan}: {type(error).__name__} {str(error)[:500]}")
    assert not broken, "\n".join(broken)


def test_every_point_that_is_reached_has_a_case_and_every_case_is_reached(new_house: HouseMaker):
    reached = {(str(point), scenario) for scenario in SCENARIOS for point in visit(new_house, scenario)}

    names = {name for name, _ in reached}
    assert sorted(names - POINTS.keys()) == [], "a point without a case: a process may die there too"
    struck = {(name, point.scenario) for name, point in POINTS.items()}
    assert sorted(struck - reached) == [], "its scenario does not come by any more"


@every_scenario
def test_a_life_holds_whatever_strikes_it(new_house: HouseMaker, scenario: str):
    rng = random.Random(f"{SEED}:{scenario}")  # noqa: S311
    names = [name for name, point in POINTS.items() if point.scenario == scenario] or list(POINTS)
    struck = Point(*rng.choice(names).split(" ", 1))

    assert_held(new_house, [rng.choice(plan_deaths(scenario, {struck: 1}, rng))])


@every_scenario
def test_a_death_at_each_point_costs_no_peso(new_house: HouseMaker, scenario: str):
    rng = random.Random(f"{SEED}:{scenario}")  # noqa: S311
    assert_held(new_house, plan_deaths(scenario, own_points(new_house, scenario), rng))


@every_scenario
def test_each_call_may_be_answered_badly(new_house: HouseMaker, scenario: str):
    rng = random.Random(f"{SEED}:{scenario}")  # noqa: S311
    assert_held(new_house, plan_answers(scenario, own_points(new_house, scenario), rng))


@pytest.mark.parametrize("share", range(4))
def test_random_lives_hold(new_house: HouseMaker, share: int):
    known: dict[str, dict[Point, int]] = {}

    def visits_of(scenario: str) -> dict[Point, int]:
        if scenario not in known:
            known[scenario] = visit(new_house, scenario)
        return known[scenario]

    seeds = range(SEED * 100_000 + share, SEED * 100_000 + LIVES, 4)
    assert_held(new_house, [random_plan(seed, visits_of) for seed in seeds])


def test_a_charge_that_nobody_here_made_is_noticed(new_house: HouseMaker):
    """The harness itself: what it lets pass proves nothing."""
    with new_house() as house:
        live(Plan("balance"), house)
        api = house.stripe.client.v1
        (customer,) = api.customers.list({"limit": 1}).data
        (method,) = api.payment_methods.list({"customer": customer.id}).data
        api.payment_intents.create(
            {
                "amount": 5_000,
                "currency": "mxn",
                "customer": customer.id,
                "payment_method": method.id,
                "confirm": True,
                "off_session": True,
            }
        )
        with pytest.raises((AssertionError, KeyError)):
            house.assert_invariants()


def test_a_strike_strikes(new_house: HouseMaker):
    visits = visit(new_house, "balance")
    (confirm,) = [point for point in visits if "confirm of" in point.name]

    with new_house() as house:
        assert live(Plan("balance", (Strike(confirm, Side.AFTER),)), house).struck == 1
