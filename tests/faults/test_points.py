"""Every point at which a process can die, and every call that can be answered badly, in every protocol."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

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


_visited: dict[str, dict[Point, int]] = {}


def visit(new_house: HouseMaker, scenario: str) -> dict[Point, int]:
    """Return the points a scenario comes by, once it was lived with nothing to strike it."""
    if scenario not in _visited:
        with new_house() as house:
            _visited[scenario] = live(Plan(scenario), house).visits
    return _visited[scenario]


def own_points(new_house: HouseMaker, scenario: str) -> dict[Point, int]:
    """Return the points that are struck in this scenario: its own, or all that it comes by."""
    visits = visit(new_house, scenario)
    return {
        point: count
        for point, count in visits.items()
        if IS_THOROUGH or POINTS[str(point)].scenario == scenario
    }


def assert_held(new_house: HouseMaker, plans: list[Plan]) -> list[Plan]:
    """Live each plan, and return those in which nobody came by the point that strikes."""
    broken, missed = [], []
    for plan in plans:
        try:
            with new_house() as house:
                if not live(plan, house).struck:
                    missed.append(plan)
        except AssertionError as error:
            broken.append(f"{plan}: {type(error).__name__} {str(error)[:500]}")
    assert not broken, "\n".join(broken)
    return missed


def assert_struck_and_held(new_house: HouseMaker, plans: list[Plan]) -> dict[str, int]:
    """Live each plan until it has struck, and return how often that was by case."""
    missed = assert_held(new_house, plans)
    assert assert_held(new_house, [plan.undisturbed() for plan in missed]) == []
    return dict(Counter(POINTS[str(strike.point)].case for plan in plans for strike in plan.strikes))


@every_scenario
def test_every_point_that_is_reached_has_a_case_and_every_case_is_reached(
    new_house: HouseMaker, scenario: str
):
    reached = {str(point) for point in visit(new_house, scenario)}

    assert sorted(reached - POINTS.keys()) == [], "a point without a case: a process may die there too"
    own = {name for name, point in POINTS.items() if point.scenario == scenario}
    assert sorted(own - reached) == [], "its scenario does not come by any more"


@every_scenario
def test_a_death_at_each_point_costs_no_peso(
    new_house: HouseMaker, scenario: str, record_property: Callable[[str, object], None]
):
    rng = random.Random(f"{SEED}:{scenario}")  # noqa: S311
    plans = plan_deaths(scenario, own_points(new_house, scenario), rng)
    record_property("struck", assert_struck_and_held(new_house, plans))


@every_scenario
def test_each_call_may_be_answered_badly(
    new_house: HouseMaker, scenario: str, record_property: Callable[[str, object], None]
):
    rng = random.Random(f"{SEED}:{scenario}")  # noqa: S311
    plans = plan_answers(scenario, own_points(new_house, scenario), rng)
    record_property("struck", assert_struck_and_held(new_house, plans))


@pytest.mark.parametrize("share", range(4))
def test_random_lives_hold(new_house: HouseMaker, share: int):
    seeds = range(SEED * 100_000 + share, SEED * 100_000 + LIVES, 4)
    assert_held(new_house, [random_plan(seed, partial(visit, new_house)) for seed in seeds])


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
