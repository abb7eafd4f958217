"""An exploration from one seed, named or new; ``make explore HOURS=8`` goes on from others."""

from __future__ import annotations

import os
import random
import sys
from datetime import datetime

import pytest
from django.db import DatabaseError
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from payments.exceptions import ContradictoryEvidence
from payments.ledger import locking, outcomes
from payments.policies import AttemptState
from tests.explore.machine import Exploration, seen
from tests.faults.conftest import HouseMaker

LIVES, STEPS = 8, 30


def explore(new_house: HouseMaker, *, number: int, lives: int = LIVES, is_shrunk: bool = True) -> None:
    """Live so many lives of what a seed brings; what does not hold is told in its smallest form.

    Raises:
        AssertionError: something does not hold.
    """

    @seed(number)
    def begin() -> Exploration:
        return Exploration(new_house)

    bounds = settings(
        max_examples=lives,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink) if is_shrunk else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(begin, settings=bounds)  # type: ignore[arg-type]


def test_a_few_lives_of_a_known_seed_hold(new_house: HouseMaker):
    """What every run of the tests can afford; ``make explore`` goes on from here."""
    explore(new_house, number=8, lives=4)


def take_silence_for_a_no(*, attempt_id: int, now: datetime) -> None:
    with locking.locked_attempt(attempt_id) as attempt:
        outcomes._bury(attempt, AttemptState.DECLINED, "nobody answered", now)


@pytest.mark.slow
def test_who_takes_silence_for_a_no_is_found_out(new_house: HouseMaker, monkeypatch: pytest.MonkeyPatch):
    """The exploration itself: what it lets pass proves nothing."""
    monkeypatch.setattr(outcomes, "note_unknown", take_silence_for_a_no)

    with pytest.raises((AssertionError, ContradictoryEvidence, DatabaseError)):
        explore(new_house, number=1, lives=60, is_shrunk=False)


@pytest.mark.slow
def test_whatever_happens_in_whatever_order_no_peso_is_taken_twice(new_house: HouseMaker):
    number = int(os.environ.get("EXPLORE_SEED") or random.SystemRandom().randrange(10**6))
    lives = int(os.environ.get("EXPLORE_LIVES") or LIVES)
    sys.stdout.write(f'\nagain: make explore ARGS="--seed {number} --lives {lives}"\n')

    explore(new_house, number=number, lives=lives)

    told = ", ".join(f"{count} {' of '.join(filter(None, what))}" for what, count in sorted(seen.items()))
    sys.stdout.write(f"{told}\n")
