"""A bounded exploration, the same each time; ``make explore HOURS=8`` goes on from other seeds."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.explore.machine import Exploration
from tests.faults.conftest import HouseMaker

LIVES = int(os.environ.get("EXPLORE_LIVES", "0"))
BOUNDED = settings(
    max_examples=LIVES or 12,
    stateful_step_count=50 if LIVES else 25,
    deadline=None,
    derandomize=not LIVES,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_whatever_happens_in_whatever_order_no_peso_is_taken_twice(new_house: HouseMaker):
    def begin() -> Exploration:
        return Exploration(new_house)

    run_state_machine_as_test(begin, settings=BOUNDED)  # type: ignore[arg-type]
