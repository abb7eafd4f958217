"""Which ticks of a schedule are due, and which are caught up: a pure decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# --- Schedule ---------------------------------------------------------------------------------------------


class CatchUp(StrEnum):
    """What happens to the ticks of a schedule that passed while no worker was running.

    A tick at most ``PROCRASTINATE_TASKS_SCHEDULE_GRACE`` old is not missed: it is deferred under every
    policy.
    """

    SKIP = "skip"
    """Missed ticks are dropped."""
    LAST = "last"
    """The latest missed tick is deferred once, unless a tick within the grace stands for it."""
    ALL = "all"
    """Every missed tick is deferred, at most ``PROCRASTINATE_TASKS_CATCH_UP_LIMIT`` of them, the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """The ticks to defer now, oldest first, and how many were dropped."""

    defer: tuple[datetime, ...]
    missed: int


def decide_ticks(
    ticks: Sequence[datetime], *, now: datetime, catch_up: CatchUp, grace: timedelta, limit: int
) -> TickDecision:
    """Choose among the ticks that are due, oldest first."""
    on_time = [tick for tick in ticks if now - tick <= grace]
    late = [tick for tick in ticks if now - tick > grace]
    caught_up: list[datetime] = []
    if catch_up is CatchUp.LAST and not on_time:
        caught_up = late[-1:]
    elif catch_up is CatchUp.ALL:
        caught_up = late[-limit:]
    return TickDecision(defer=(*caught_up, *on_time), missed=len(late) - len(caught_up))
