"""An oracle for cron ticks where clocks change: it looks at every minute there is, and computes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Times:
    """A schedule by its minutes and hours; ``fixed`` when neither of its fields starts with a star."""

    expression: str
    minutes: frozenset[int]
    hours: frozenset[int]
    fixed: bool

    def matches(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours


EVERY_HOUR = frozenset(range(24))
SCHEDULES = (
    Times("* * * * *", frozenset(range(60)), EVERY_HOUR, fixed=False),
    Times("*/15 * * * *", frozenset(range(0, 60, 15)), EVERY_HOUR, fixed=False),
    Times("30 * * * *", frozenset({30}), EVERY_HOUR, fixed=False),
    Times("*/20 0-3 * * *", frozenset({0, 20, 40}), frozenset(range(4)), fixed=False),
    Times("0 3 * * *", frozenset({0}), frozenset({3}), fixed=True),
    Times("15,45 0-4 * * *", frozenset({15, 45}), frozenset(range(5)), fixed=True),
    Times("30 0,1,2,3,22,23 * * *", frozenset({30}), frozenset({0, 1, 2, 3, 22, 23}), fixed=True),
)


def expected_ticks(times: Times, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return the ticks in ``[start, end)``."""
    if not times.fixed:
        return [instant for instant, wall in _minutes(start, end, zone) if times.matches(wall)]
    return sorted(set(_fixed_ticks(times, zone, start, end)))


def _fixed_ticks(times: Times, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    seen: set[datetime] = set()
    minutes = _minutes(start, end, zone)
    latest_wall = minutes[0][1] - MINUTE
    for instant, wall in minutes:
        passed = latest_wall + MINUTE
        while passed <= wall:  # more than one turn only after a gap, whose times are passed at once
            if times.matches(passed) and passed not in seen:
                yield instant
            seen.add(passed)
            passed += MINUTE
        latest_wall = max(latest_wall, wall)


@lru_cache(maxsize=8)  # all schedules of a zone look at the same nights
def _minutes(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Return each minute in ``[start, end)``, and what the clock on the wall shows."""
    count = int((end - start) / MINUTE)
    instants = [start + number * MINUTE for number in range(count)]
    return [(instant, instant.astimezone(zone).replace(tzinfo=None, fold=0)) for instant in instants]


def transitions(zone: ZoneInfo, first_year: int, last_year: int) -> Iterator[datetime]:
    """Yield the first minute of each new offset in these years."""
    day = timedelta(days=1)
    instant = datetime(first_year, 1, 1, tzinfo=UTC)
    while instant.year <= last_year:
        if instant.astimezone(zone).utcoffset() != (instant + day).astimezone(zone).utcoffset():
            before = instant.astimezone(zone).utcoffset()
            yield next(
                minute
                for minute, _ in _minutes(instant, instant + day + MINUTE, zone)
                if minute.astimezone(zone).utcoffset() != before
            )
        instant += day
