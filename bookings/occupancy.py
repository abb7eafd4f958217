"""A month of the nights of all homes as the office sees it: homes as rows, nights as cells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bookings.availability import next_month, previous_month
from bookings.models import Booking, BookingStatus, NightBlock, Property, nights_between
from bookings.nights_calendar import NightState, each_night, has_lapsed, state_of

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupiedNight:
    """A night of a home.

    Attributes:
        block: why it is taken.
        arriving, leaving: whose stay begins, or has ended, on this day; both on a day of turnover.
    """

    date: date
    state: NightState
    block: NightBlock | None
    arriving: Booking | None
    leaving: Booking | None
    is_today: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeRow:
    """A home and its nights of the month; ``taken`` counts those that nobody else can have."""

    home: Property
    nights: tuple[OccupiedNight, ...]
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupancyMonth:
    """A month of several homes; ``taken`` of ``nights`` are those of all of them."""

    first: date
    earlier: date
    later: date
    days: tuple[date, ...]
    rows: tuple[HomeRow, ...]
    taken: int
    nights: int


def read_occupancy(*, homes: Sequence[Property], first: date, now: datetime) -> OccupancyMonth:
    """Read the month that begins on ``first``, in one query whatever the number of homes.

    Args:
        now: holds that nobody is paying and whose time is over by then do not count.
    """
    days = tuple(each_night(first, next_month(first)))
    blocks = _blocks_by_home(homes, first, now)
    rows = tuple(_row(home, blocks[home.pk], days, now) for home in homes)
    return OccupancyMonth(
        first=first,
        earlier=previous_month(first),
        later=next_month(first),
        days=days,
        rows=rows,
        taken=sum(row.taken for row in rows),
        nights=len(days) * len(rows),
    )


def _blocks_by_home(homes: Sequence[Property], first: date, now: datetime) -> dict[int, list[NightBlock]]:
    # From the night before: whoever had it leaves on the first.
    month = nights_between(first - _DAY, next_month(first))
    blocks = NightBlock.objects.filter(home__in=homes, active=True, nights__overlap=month)
    found = defaultdict(list)
    for block in blocks.select_related("booking"):
        if not has_lapsed(block.booking, now):
            found[block.home_id].append(block)
    return found


def _row(home: Property, blocks: Sequence[NightBlock], days: Sequence[date], now: datetime) -> HomeRow:
    owners = _owners(blocks, days)
    stays = [block for block in blocks if block.kind == NightBlock.Kind.STAY]
    arriving = {block.nights.lower: block.booking for block in stays}
    leaving = {block.nights.upper: block.booking for block in stays if _has_been_booked(block)}
    today = now.astimezone(home.tz).date()
    nights = tuple(
        OccupiedNight(
            date=day,
            state=state_of(owners[day]) if day in owners else NightState.FREE,
            block=owners.get(day),
            arriving=arriving.get(day),
            leaving=leaving.get(day),
            is_today=day == today,
        )
        for day in days
    )
    return HomeRow(home=home, nights=nights, taken=len(owners))


def _owners(blocks: Iterable[NightBlock], days: Sequence[date]) -> dict[date, NightBlock]:
    """Return whose each night is; a stay goes before the dates that it is to be moved to."""
    return {
        night: block
        for block in sorted(blocks, key=lambda block: block.kind == NightBlock.Kind.STAY)
        for night in each_night(max(block.nights.lower, days[0]), min(block.nights.upper, days[-1] + _DAY))
    }


def _has_been_booked(block: NightBlock) -> bool:
    return block.booking is not None and block.booking.status != BookingStatus.PENDING
