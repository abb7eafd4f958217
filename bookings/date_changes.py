"""A confirmed stay moves to other nights: at once, or held beside the old ones until it is paid for.

Call everything that writes with the booking locked.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import cast

from django.db import transaction

from bookings import policies
from bookings.exceptions import NotConfirmed, SleptNightsMoved
from bookings.models import Booking, BookingChangeLog, BookingStatus, DateChange, NightBlock, Quote
from bookings.plain_sql import columns_of, models_of, read_rows
from bookings.rows import (
    block_nights,
    carry_quote,
    make_quote,
    queue_for_property,
    refusing_overlap,
    release_nights,
)
from bookings.rules import check_nights, check_price
from bookings.services import expire_holds

_CHANGE = NightBlock.Kind.CHANGE
_OPEN = """
SELECT {change}, {quote}
FROM bookings_datechange change JOIN bookings_quote quote ON quote.id = change.quote_id
WHERE change.booking_id = %s AND change.state = 'open'
"""


def find_open(booking: Booking) -> DateChange | None:
    """Return the dearer dates that are held for a booking until they are paid for."""
    for row in read_rows(_open(), (booking.pk,)):
        change, quote = models_of(row, DateChange, Quote)
        change.booking, change.quote, quote.home = booking, quote, booking.home
        return cast("DateChange", change)
    return None


def change_nights(
    *, booking: Booking, check_in: date, check_out: date, now: datetime, kept_minor: int = 0
) -> Quote:
    """Move a confirmed stay to other nights at the agreed price per night.

    Args:
        kept_minor: what the house keeps of nights that are given up.

    Returns:
        The new quote; the booking carries it already.

    Raises:
        NotConfirmed: only a confirmed booking moves.
        SleptNightsMoved: the change would move nights already slept.
        NightsRefused, PriceRefused, StayUnavailable: as for a new stay.
    """
    check_change(booking=booking, check_in=check_in, check_out=check_out, now=now)
    with transaction.atomic():
        quote = _quote(booking, check_in, check_out, now)
        release_nights([booking.pk], proof="dates changed", now=now)
        with refusing_overlap():
            block_nights(booking=booking, quote=quote, now=now)
        _take_over(booking, quote, kept_minor, now)
    return quote


def hold_change(
    *, booking: Booking, check_in: date, check_out: date, charge_minor: int, kept_minor: int, now: datetime
) -> DateChange:
    """Hold other nights beside those of the stay until a sum is paid; raises as ``change_nights``."""
    check_change(booking=booking, check_in=check_in, check_out=check_out, now=now)
    with transaction.atomic():
        quote = _quote(booking, check_in, check_out, now)
        with refusing_overlap():
            block_nights(booking=booking, quote=quote, now=now, kind=_CHANGE)
        return DateChange.objects.create(
            booking=booking,
            quote=quote,
            charge_minor=charge_minor,
            kept_minor=kept_minor,
            expires_at=now + policies.HOLD_DURATION,
            created_at=now,
        )


def prolong_change(*, change: DateChange, until: datetime) -> None:
    """Hold for as long as the page that was opened can be paid."""
    change.expires_at = max(change.expires_at, until)
    change.save(update_fields=("expires_at",))


def apply_change(*, booking: Booking, change: DateChange, now: datetime) -> None:
    """Give a stay the dates that were paid for, and its old nights back to others."""
    _end(change, DateChange.State.APPLIED, now)
    release_nights([booking.pk], proof="dates changed", now=now)
    NightBlock.objects.filter(booking=booking, kind=_CHANGE, active=True).update(kind=NightBlock.Kind.STAY)
    _take_over(booking, change.quote, change.kept_minor, now)


def abandon_change(*, booking: Booking, change: DateChange, proof: str, now: datetime) -> None:
    """Leave a stay as it was, and the nights it was to be moved to for others, on proof."""
    _end(change, DateChange.State.ABANDONED, now)
    release_nights([booking.pk], proof=proof, now=now, kind=_CHANGE)


def check_change(*, booking: Booking, check_in: date, check_out: date, now: datetime) -> None:
    """Check other nights against the rules, whoever else is there; raises as ``change_nights``."""
    if booking.status != BookingStatus.CONFIRMED or booking.cancel_requested_at is not None:
        raise NotConfirmed(status=booking.status)
    today, old_check_in = now.astimezone(booking.home.tz).date(), booking.quote.check_in
    if policies.moves_slept_nights(
        old_check_in=old_check_in, check_in=check_in, check_out=check_out, today=today
    ):
        raise SleptNightsMoved
    # A stay that has begun keeps its arrival, which is then no longer "in the past".
    check_nights(home=booking.home, check_in=check_in, check_out=check_out, today=min(today, old_check_in))


def price_change(*, booking: Booking, check_in: date, check_out: date) -> policies.Price:
    """Price other nights for a booking at the rates it was agreed at, without changing anything.

    Raises:
        PriceRefused: no card can be charged that.
    """
    agreed = booking.quote
    price = policies.price_stay(
        nights=(check_out - check_in).days,
        nightly_rate_minor=agreed.nightly_rate_minor,
        cleaning_fee_minor=agreed.cleaning_minor,
        tax_bps=agreed.tax_bps,
        lodging_tax_bps=agreed.lodging_tax_bps,
    )
    check_price(price)
    return price


@cache
def _open() -> str:
    return _OPEN.format(change=columns_of(DateChange, "change"), quote=columns_of(Quote, "quote"))


def _quote(booking: Booking, check_in: date, check_out: date, now: datetime) -> Quote:
    queue_for_property(booking.home.pk)
    expire_holds(now=now, home=booking.home)
    agreed = booking.quote
    return make_quote(
        home=booking.home,
        check_in=check_in,
        check_out=check_out,
        guests=agreed.guests,
        now=now,
        agreed=agreed,
    )


def _take_over(booking: Booking, quote: Quote, kept_minor: int, now: datetime) -> None:
    old_quote = booking.quote
    carry_quote(booking, quote)
    BookingChangeLog.objects.create(
        booking=booking, old_quote=old_quote, new_quote=quote, kept_minor=kept_minor, applied_at=now
    )


def _end(change: DateChange, state: DateChange.State, now: datetime) -> None:
    change.state, change.ended_at = state, now
    change.save(update_fields=("state", "ended_at"))
