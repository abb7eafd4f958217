"""How many jobs of a queue may start, and run, at a time: the terms in which settings and staff say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

_SHORTEST_PERIOD = timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` starts within any stretch of time as long as ``per``."""

    count: int
    per: timedelta = timedelta(seconds=1)

    def __str__(self) -> str:
        return f"{self.count} per {self.per.total_seconds():g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimit:
    """What a queue may do on all workers and hosts together; None is no limit.

    ``concurrency`` is how many of its jobs run at a time.
    """

    rate: Rate | None = None
    concurrency: int | None = None


def find_problem(limit: QueueLimit) -> str:
    """Say what is wrong with a limit; nothing if it makes sense."""
    if limit.rate is not None and not _is_positive(limit.rate.count):
        return f"its rate is {limit.rate.count!r} jobs, and must be a whole number of 1 or more"
    if limit.rate is not None and not limit.rate.per >= _SHORTEST_PERIOD:
        return f"its rate is per {limit.rate.per.total_seconds():g} s, and the period must be 0.01 s or more"
    if limit.concurrency is not None and not _is_positive(limit.concurrency):
        return f"its concurrency is {limit.concurrency!r}, and must be a whole number of 1 or more"
    return ""


def limit_facts(limit: QueueLimit) -> dict[str, object]:
    """Return a limit as JSON holds it: ``count`` starts per ``seconds``, and ``concurrency``, if limited."""
    facts: dict[str, object] = {}
    if limit.rate is not None:
        facts |= {"count": limit.rate.count, "seconds": limit.rate.per.total_seconds()}
    return facts if limit.concurrency is None else facts | {"concurrency": limit.concurrency}


def limit_columns(limits: Mapping[str, QueueLimit], *, project: str) -> dict[str, Any]:
    """Return the parameters of ``sql/declare_limits.sql``: who declares them, and parallel arrays."""
    rates = [limit.rate for limit in limits.values()]
    return {
        "project": project,
        "queues": list(limits),
        "rate_limits": [rate and rate.count for rate in rates],
        "rate_periods": [rate and rate.per for rate in rates],
        "concurrency_limits": [limit.concurrency for limit in limits.values()],
    }


def _is_positive(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1
