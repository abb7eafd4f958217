"""The calendar of a property, and the free stays nearest to one that is taken. Pure: no Django, no I/O."""

from __future__ import annotations

from calendar import SUNDAY, Calendar
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from bookings.policies import HORIZON

SUGGESTIONS = 3

_DAY = timedelta(days=1)
_NEARBY = timedelta(days=60)
_WEEKS = Calendar(firstweekday=SUNDAY)


class DayState(StrEnum):
    """What a guest can do on a day: a night that is closed may still be the day of departure."""

    PAST = "past"
    FREE = "free"
    NO_ARRIVAL = "no_arrival"
    DEPARTURE_ONLY = "departure_only"
    TAKEN = "taken"
    SHUT = "shut"
    TOO_FAR = "too_far"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What a guest asks for."""

    check_in: date
    check_out: date
    guests: int

    @property
    def night_count(self) -> int:
        return (self.check_out - self.check_in).days


@dataclass(frozen=True, slots=True)
class Day:
    """A cell of the calendar; ``chosen`` when the guest would be there."""

    date: date
    state: DayState
    chosen: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month as weeks from Sunday to Saturday; days of the neighbouring months are ``None``."""

    first: date
    weeks: tuple[tuple[Day | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """What can be had of a home.

    Attributes:
        closed: the nights that cannot be held, with the one before the month.
        shut: those of them that the house closed by hand.
        fewest: a stay is not shorter.
    """

    today: date
    closed: Collection[date]
    shut: Collection[date] = ()
    fewest: int = 1


def month_calendar(*, first: date, nights: Nights, stay: Stay | None) -> Month:
    """Lay out the month that begins on ``first``."""
    weeks = tuple(
        tuple(_day(each, nights, stay) if each.month == first.month else None for each in week)
        for week in _WEEKS.monthdatescalendar(first.year, first.month)
    )
    return Month(first, weeks)


def next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def previous_month(first: date) -> date:
    return (first - _DAY).replace(day=1)


def is_free(*, check_in: date, check_out: date, closed: Collection[date]) -> bool:
    return not any(night in closed for night in _nights(check_in, check_out))


def nearest_free_stays(*, wanted: Stay, closed: Collection[date], today: date) -> list[Stay]:
    """Return up to three free stays of the same length, the nearest in time first and none twice."""
    shifts = sorted(range(-_NEARBY.days, _NEARBY.days + 1), key=lambda days: (abs(days), days < 0))
    candidates = (_shift(wanted, timedelta(days=days)) for days in shifts)
    free = (
        stay
        for stay in candidates
        if today <= stay.check_in
        and stay.check_out <= today + HORIZON
        and is_free(check_in=stay.check_in, check_out=stay.check_out, closed=closed)
    )
    return _spread(free, apart=wanted.night_count)


def _spread(stays: Iterator[Stay], *, apart: int) -> list[Stay]:
    """Pick the first stays that do not overlap each other: three shifts of one day are no choice."""
    picked: list[Stay] = []
    for stay in stays:
        if all(abs((stay.check_in - other.check_in).days) >= apart for other in picked):
            picked.append(stay)
        if len(picked) == SUGGESTIONS:
            break
    return picked


def _shift(stay: Stay, by: timedelta) -> Stay:
    return Stay(check_in=stay.check_in + by, check_out=stay.check_out + by, guests=stay.guests)


def _nights(check_in: date, check_out: date) -> Iterator[date]:
    return (check_in + timedelta(days=offset) for offset in range((check_out - check_in).days))


def _day(day: date, nights: Nights, stay: Stay | None) -> Day:
    chosen = stay is not None and stay.check_in <= day <= stay.check_out
    return Day(day, _state(day, nights), chosen)


def _state(day: date, nights: Nights) -> DayState:
    if day < nights.today:
        return DayState.PAST
    if day > nights.today + HORIZON:
        return DayState.TOO_FAR
    if day in nights.closed:
        return _why_closed(day, nights)
    shortest = day + _DAY * nights.fewest
    return (
        DayState.FREE
        if is_free(check_in=day, check_out=shortest, closed=nights.closed)
        else DayState.NO_ARRIVAL
    )


def _why_closed(day: date, nights: Nights) -> DayState:
    if day > nights.today and day - _DAY not in nights.closed:
        return DayState.DEPARTURE_ONLY
    return DayState.SHUT if day in nights.shut else DayState.TAKEN
