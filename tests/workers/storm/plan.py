"""Which faults strike when: drawn from a seed, each kind as often as asked, spread evenly over the storm."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

# Time to get going before the first fault, and to wake a frozen host after the last one.
_LEAD_SECONDS = 3.0
_TAIL_SECONDS = 3.0


class FaultKind(Enum):
    """What can strike; the value is its name in the report."""

    KILL_CHILD = "SIGKILL of a child"
    KILL_WORKER = "SIGKILL of a worker"
    KILL_SUPERVISOR = "SIGKILL of a supervisor"
    END_SESSION = "database session terminated"
    RESTART = "Postgres restarted (fast)"
    CRASH = "Postgres restarted (immediate)"
    FREEZE = "host stopped past its lease (SIGSTOP, SIGCONT)"


KILLS = (FaultKind.KILL_CHILD, FaultKind.KILL_WORKER, FaultKind.KILL_SUPERVISOR)

# What half an hour has to hold at least; shorter storms get their share, and one of each kind.
FULL_STORM_SECONDS = 1800.0
FULL_STORM: Mapping[FaultKind, int] = {
    FaultKind.KILL_CHILD: 26,
    FaultKind.KILL_WORKER: 18,
    FaultKind.KILL_SUPERVISOR: 12,
    FaultKind.END_SESSION: 24,
    FaultKind.RESTART: 4,
    FaultKind.CRASH: 4,
    FaultKind.FREEZE: 12,
}


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault to come, in seconds since the storm began."""

    at: float
    kind: FaultKind


def doses_for(seconds: float) -> dict[FaultKind, int]:
    """How often each kind strikes in a storm of this length."""
    share = seconds / FULL_STORM_SECONDS
    return {kind: max(1, round(count * share)) for kind, count in FULL_STORM.items()}


def plan_faults(*, seed: int, seconds: float, doses: Mapping[FaultKind, int]) -> list[PlannedFault]:
    """Draws the storm: the same seed gives the same faults at the same instants."""
    dice = random.Random(seed)  # noqa: S311 - the same storm each time
    kinds = [kind for kind, count in doses.items() for _ in range(count)]
    dice.shuffle(kinds)
    pace = max(0.0, seconds - _LEAD_SECONDS - _TAIL_SECONDS) / len(kinds)
    return [
        PlannedFault(_LEAD_SECONDS + pace * (place + dice.uniform(0.1, 0.9)), kind)
        for place, kind in enumerate(kinds)
    ]
