"""What the storm orders: kinds of jobs, and how many of each in every quarter of a second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

QUEUE = "storm"
NARROW_QUEUE = "storm-narrow"
SLOW_QUEUE = "storm-slow"
AT_A_TIME = 3
PER_SECOND = 6
EFFECT_PREFIX = "storm effect "
_LOCKS = 6


class JobKind(Enum):
    """The task's name is the value."""

    QUICK = "storm.quick"
    WORK = "storm.work"
    WRITE = "storm.write"
    FOLLOW = "storm.follow"
    LOCKED = "storm.locked"
    FLAKY = "storm.flaky"
    NARROW = "storm.narrow"
    SLOW = "storm.slow"


@dataclass(frozen=True, slots=True)
class Order:
    """One job that has to be done exactly once; no two orders of one kind have the same key."""

    kind: JobKind
    key: int

    @property
    def queue(self) -> str:
        return {JobKind.NARROW: NARROW_QUEUE, JobKind.SLOW: SLOW_QUEUE}.get(self.kind, QUEUE)

    @property
    def lock(self) -> str | None:
        return f"storm-{self.key % _LOCKS}" if self.kind is JobKind.LOCKED else None


# A batch a quarter of a second; the limited queues are nearly full with theirs.
BATCH = (
    *[JobKind.QUICK] * 6,
    *[JobKind.WORK] * 2,
    *[JobKind.WRITE] * 2,
    *[JobKind.LOCKED] * 4,
    JobKind.FLAKY,
    *[JobKind.NARROW] * 2,
    JobKind.SLOW,
)
BATCH_SECONDS = 0.25


def make_batch(first_key: int) -> list[Order]:
    """Makes the orders of one batch, with keys from ``first_key`` on."""
    return [Order(kind, key) for key, kind in enumerate(BATCH, start=first_key)]
