"""A month of a property's nights as staff see it: what each night is, and whose."""

from __future__ import annotations

from calendar import SUNDAY, Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from bookings.availability import next_month, previous_month
from bookings.models import Booking, BookingStatus, NightBlock, Property, nights_between

_WEEKS = Calendar(firstweekday=SUNDAY)
_DAY = timedelta(days=1)
_FURTHEST_YEARS = 50


class NightState(TextChoices):
    """What a night is."""

    FREE = "free", _("free")
    HELD = "held", _("held")
    BOOKED = "booked", _("booked")
    STAYED = "stayed", _("stayed")
    MANUAL = "manual", _("closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night: of which booking, and whether it is the stay's first."""

    date: date
    state: NightState
    booking: Booking | None = None
    is_arrival: bool = False
    is_today: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NightsMonth:
    """A month in weeks from Sunday to Saturday; days of the neighbouring months are None.

    ``bookings`` are those with a night in it, the earliest first, ``closures`` what staff closed;
    ``taken`` counts the nights of all.
    """

    home: Property
    first: date
    earlier: date
    later: date
    weeks: tuple[tuple[Night | None, ...], ...]
    bookings: tuple[Booking, ...]
    closures: tuple[NightBlock, ...]
    taken: int
    nights: int


def read_month(*, home: Property, first: date, now: datetime) -> NightsMonth:
    """Read the month that begins on ``first``, in one query.

    Args:
        now: holds that nobody is paying and whose time is over by then do not count.
    """
    today = now.astimezone(home.tz).date()
    blocks = _blocks(home, first, now)
    owners = {
        night: block
        for block in blocks
        for night in each_night(max(block.nights.lower, first), min(block.nights.upper, next_month(first)))
    }
    return NightsMonth(
        home=home,
        first=first,
        earlier=previous_month(first),
        later=next_month(first),
        weeks=tuple(
            tuple(_night(day, owners.get(day), today) if day.month == first.month else None for day in week)
            for week in _WEEKS.monthdatescalendar(first.year, first.month)
        ),
        bookings=tuple(block.booking for block in blocks if block.booking is not None),
        closures=tuple(block for block in blocks if block.booking is None),
        taken=len(owners),
        nights=(next_month(first) - first).days,
    )


def read_first(text: str, *, today: date) -> date:
    """Return the first day of the month that ``2026-12`` names, of this month for any other text.

    Months half a century away are no months of ours.
    """
    this_month = today.replace(day=1)
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        return this_month
    return first if abs(first.year - today.year) <= _FURTHEST_YEARS else this_month


def _blocks(home: Property, first: date, now: datetime) -> Sequence[NightBlock]:
    blocks = NightBlock.objects.filter(
        home=home, active=True, nights__overlap=nights_between(first, next_month(first))
    ).select_related("booking__quote")
    return [block for block in blocks.order_by("nights") if not has_lapsed(block.booking, now)]


def has_lapsed(booking: Booking | None, now: datetime) -> bool:
    """Tell whether a hold is over that nobody has released yet."""
    if booking is None:
        return False
    is_hold = booking.status == BookingStatus.PENDING and not booking.checkout_open
    return is_hold and booking.hold_expires_at <= now


def _night(day: date, block: NightBlock | None, today: date) -> Night:
    if block is None:
        return Night(date=day, state=NightState.FREE, is_today=day == today)
    return Night(
        date=day,
        state=state_of(block),
        booking=block.booking,
        is_arrival=day == block.nights.lower,
        is_today=day == today,
    )


def state_of(block: NightBlock) -> NightState:
    """Return what the nights of a block are."""
    if block.booking is None:
        return NightState.MANUAL
    if block.kind == NightBlock.Kind.CHANGE:
        return NightState.HELD
    return _STATES.get(BookingStatus(block.booking.status), NightState.BOOKED)


def each_night(first: date, until: date) -> list[date]:
    """Return the nights of a half-open range."""
    return [first + _DAY * offset for offset in range((until - first).days)]


_STATES = {
    BookingStatus.PENDING: NightState.HELD,
    BookingStatus.CONFIRMED: NightState.BOOKED,
    BookingStatus.COMPLETED: NightState.STAYED,
}
