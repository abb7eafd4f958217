"""What strikes a life: a death at a point, or an answer of Stripe's that goes wrong; and lives struck so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reyes_estancias.local_stripe.faults import Fault, FaultKind
from tests.faults.life import Life
from tests.faults.points import Died, Point, Side
from tests.faults.scenarios import SCENARIOS
from tests.house import House

# A slow answer would only cost time, and a refused key pauses the queue until a person resumes it.
ANSWERS = tuple(
    kind
    for kind in FaultKind
    if kind not in (FaultKind.SLOW_BEFORE, FaultKind.SLOW_AFTER, FaultKind.UNAUTHORIZED)
)


class Jobs(StrEnum):
    """What becomes of the jobs of a worker that dies."""

    RESCUED = "rescued"
    LOST = "lost"


class Network(StrEnum):
    """How Stripe's events reach the site; ``fetched`` by its list alone, ``lost`` not at all."""

    SENT = "sent"
    LOST = "lost"
    FETCHED = "fetched"
    DOUBLED = "doubled"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens at one visit of a point, counted from one: a death on one side, or a faulty answer."""

    point: Point
    effect: Side | FaultKind
    visit: int = 1

    def __str__(self) -> str:
        what = f"dies {self.effect}" if isinstance(self.effect, Side) else f"{self.effect} at"
        return f"{what} {self.point} ({self.visit})"


@dataclass(frozen=True, slots=True)
class Plan:
    """A life as it is to be lived: all of it follows from these values."""

    scenario: str
    strikes: tuple[Strike, ...] = ()
    jobs: Jobs = Jobs.RESCUED
    network: Network = Network.SENT
    seed: int = 1

    def __str__(self) -> str:
        struck = "; ".join(map(str, self.strikes)) or "nothing strikes"
        return f"{self.scenario}, {struck}, jobs {self.jobs}, events {self.network}, seed {self.seed}"

    def undisturbed(self) -> Plan:
        """Return it with events as they come where nothing strikes: so its points were counted."""
        return replace(self, network=Network.SENT)


@dataclass(slots=True)
class Striker:
    """Visits each point, strikes where the plan says so, and counts who came by."""

    house: House
    strikes: Iterable[Strike] = ()
    visits: dict[Point, int] = field(default_factory=dict)
    struck: int = 0

    def __call__(self, point: Point, side: Side) -> None:
        if side is Side.BEFORE:
            self.visits[point] = self.visits.get(point, 0) + 1
        for strike in self.strikes:
            if (strike.point, strike.visit) == (point, self.visits.get(point)):
                self._strike(strike, side)

    def _strike(self, strike: Strike, side: Side) -> None:
        if strike.effect is side:
            self.struck += 1
            raise Died(str(strike))
        if isinstance(strike.effect, FaultKind) and side is Side.BEFORE:
            self.struck += 1
            self.house.stripe.core.faults.insert(0, Fault(strike.effect))


def live(plan: Plan, house: House) -> Striker:
    """Live a plan to its end, and check that everything holds then.

    Raises:
        AssertionError: something does not.
    """
    striker = Striker(house, plan.strikes)
    life = Life(
        house,
        random.Random(plan.seed),  # noqa: S311 - a life that can be lived again
        visitor=striker,
        are_jobs_lost=plan.jobs is Jobs.LOST,
        events=plan.network,
    )
    verdict = SCENARIOS[plan.scenario](life)
    life.drain()
    verdict()
    life.assert_all_holds()
    return striker


def plan_deaths(scenario: str, visits: dict[Point, int], rng: random.Random) -> list[Plan]:
    """Return a life with a death on each side of each point."""
    return [
        _struck(scenario, Strike(point, side, rng.randint(1, count)), rng)
        for point, count in sorted(visits.items())
        for side in Side
    ]


def plan_answers(scenario: str, visits: dict[Point, int], rng: random.Random) -> list[Plan]:
    """Return two lives for each call, with different bad answers to it."""
    return [
        _struck(scenario, Strike(point, kind, rng.randint(1, count)), rng)
        for point, count in sorted(visits.items())
        if point.kind == "call"
        for kind in rng.sample(ANSWERS, 2)
    ]


def _struck(scenario: str, strike: Strike, rng: random.Random) -> Plan:
    # Events that do not come make fewer visits: what strikes one of them would miss.
    is_silent = {Network.LOST, Network.FETCHED}
    network = rng.choice([each for each in Network if each not in is_silent or strike.visit == 1])
    return Plan(scenario, (strike,), jobs=rng.choice(list(Jobs)), network=network, seed=rng.randrange(10**6))


def random_plan(seed: int, visits_of: Callable[[str], dict[Point, int]]) -> Plan:
    """Return a life with a fault on average, and with several now and then."""
    rng = random.Random(seed)  # noqa: S311
    scenario = rng.choice(sorted(SCENARIOS))
    visits = visits_of(scenario)
    strikes = []
    while rng.random() < 0.5:
        point = rng.choice(sorted(visits))
        effect: Side | FaultKind = rng.choice([*Side, *ANSWERS] if point.kind == "call" else [*Side])
        strikes.append(Strike(point, effect, rng.randint(1, visits[point])))
    return Plan(
        scenario,
        tuple(strikes),
        jobs=rng.choice(list(Jobs)),
        network=rng.choice(list(Network)),
        seed=seed,
    )
