"""Cron expressions in a time zone, as pure functions of time.

The rule where clocks change, which is that of Debian's (Vixie) cron:

* A schedule at fixed times (neither its minute nor its hour field starts with ``*``) runs once for each time
  of its own: a time that the clock skips runs at the first moment after the gap, several skipped times
  together as one tick; a time that the clock repeats runs at its first occurrence only.
* Any other schedule (``*/5 * * * *``, ``30 * * * *``, ``*/10 3 * * *``) follows real time: it runs whenever
  the clock on the wall matches, so not in a gap, and in both passes of a repeated hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone

_FIELDS = 5
_FIELDS_WITH_SECONDS = 6
_SECOND = timedelta(seconds=1)
_STEP = timedelta(hours=6)
_ANY_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - a wall clock's time


@dataclass(frozen=True)
class Cron:
    """A cron expression read in a time zone.

    Args:
        expression: minute, hour, day of month, month, day of week; a sixth field adds seconds, as
            Procrastinate reads it. Names (``MON``), steps, lists, ``L`` and ``#`` are understood. When both
            day fields are restricted, either may match, as in cron.
        zone_name: for example ``America/Mexico_City``.

    Raises:
        InvalidCron: the expression cannot be read or never comes true.
        UnknownTimeZone: the system does not know the zone.
    """

    expression: str
    zone_name: str

    def __post_init__(self) -> None:
        _ = self.zone
        try:
            next(CronSim(self._simulator_expression, _ANY_DAY))
        except CronSimError as error:
            raise InvalidCron(self.expression, _problem(error)) from error
        except StopIteration as never:
            raise InvalidCron(self.expression, "it never comes true") from never

    @cached_property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.zone_name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise UnknownTimeZone(self.zone_name) from error

    @cached_property
    def has_fixed_times(self) -> bool:
        """Whether the schedule names times of day, for the rule where clocks change."""
        minute, hour, *_ = self.expression.split()
        return not minute.startswith("*") and not hour.startswith("*")

    def ticks_after(self, instant: datetime) -> Iterator[datetime]:
        """Yield the schedule's ticks later than ``instant``, in order, as aware UTC datetimes."""
        ticks = self._fixed_ticks(instant) if self.has_fixed_times else self._real_time_ticks(instant)
        previous = instant
        for tick in ticks:
            if tick > previous:
                yield tick
                previous = tick

    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first tick later than ``instant``; None when there will be none."""
        return next(self.ticks_after(instant), None)

    def ticks_between(self, after: datetime, until: datetime, *, at_most: int) -> tuple[list[datetime], bool]:
        """Return the latest ticks in ``(after, until]``, oldest first, and whether those are all.

        The cost is bounded by ``at_most``, not by the length of the interval.
        """
        span = timedelta(minutes=1)
        while True:
            start = max(after, until - span)
            ticks = self._ticks_in(start, until)
            if start == after:
                return ticks[-at_most:], len(ticks) <= at_most
            if len(ticks) > at_most:
                return ticks[-at_most:], False
            span *= 4

    def _ticks_in(self, after: datetime, until: datetime) -> list[datetime]:
        ticks = []
        for tick in self.ticks_after(after):
            if tick > until:
                break
            ticks.append(tick)
        return ticks

    @cached_property
    def _simulator_expression(self) -> str:
        fields = self.expression.split()
        if len(fields) not in (_FIELDS, _FIELDS_WITH_SECONDS):
            raise InvalidCron(self.expression, f"it has {len(fields)} fields, not 5 (or 6 with seconds last)")
        if len(fields) == _FIELDS_WITH_SECONDS:
            fields = [fields[-1], *fields[:-1]]
        return " ".join(fields)

    def _wall_times(self, after: datetime) -> Iterator[datetime]:
        return CronSim(self._simulator_expression, after)

    def _fixed_ticks(self, instant: datetime) -> Iterator[datetime]:
        for wall in self._wall_times(_wall_clock(instant, self.zone)):
            yield _first_instant_of(wall, self.zone)

    def _real_time_ticks(self, instant: datetime) -> Iterator[datetime]:
        """Walk from one change of the zone's offset to the next: between two, all clocks run alike."""
        while True:
            offset = _offset(instant, self.zone)
            reached = instant
            for wall in self._wall_times(_wall_clock(instant, self.zone)):
                tick = (wall - offset).replace(tzinfo=UTC)
                change = _offset_change(reached, tick, self.zone)
                if change is not None:
                    break
                yield tick
                reached = tick
            else:
                return
            if self._matches_at(change):
                yield change
            instant = change

    def _matches_at(self, instant: datetime) -> bool:
        wall = _wall_clock(instant, self.zone)
        return next(self._wall_times(wall - _SECOND), None) == wall


def _problem(error: CronSimError) -> str:
    return str(error)[:1].lower() + str(error)[1:] if str(error) else "it cannot be read"


def _wall_clock(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    return offset if offset is not None else timedelta(0)


def _first_instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock in ``zone`` first shows ``wall``, or the end of the gap that skips it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall_clock(instant, zone) == wall:
        return instant
    before_gap = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    change = _offset_change(before_gap - _SECOND, instant, zone)
    return instant if change is None else change


def _offset_change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first instant in ``(after, until]`` with another offset than ``after``, to the second."""
    low = after
    offset = _offset(after, zone)
    while low < until:
        high = min(low + _STEP, until)
        if _offset(high, zone) != offset:
            return _bisect_change(low, high, offset, zone)
        low = high
    return None


def _bisect_change(low: datetime, high: datetime, offset: timedelta, zone: ZoneInfo) -> datetime:
    low, high = low.replace(microsecond=0), _round_up(high)
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if _offset(middle, zone) == offset:
            low = middle
        else:
            high = middle
    return high


def _round_up(instant: datetime) -> datetime:
    whole = instant.replace(microsecond=0)
    return whole if whole == instant else whole + _SECOND
