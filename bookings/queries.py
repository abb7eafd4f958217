"""Reading bookings and availability; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import cast
from uuid import UUID

from django.db.models import Q

from bookings.models import Booking, BookingStatus, Property, PropertyPhoto, Quote, nights_between
from bookings.plain_sql import columns_of, models_of, read_rows
from bookings.services import Guest

# A hold whose time has run out, and which nobody is paying, is released by the next guest who asks.
_STANDING = """
FROM bookings_nightblock block LEFT JOIN bookings_booking booking ON booking.id = block.booking_id
WHERE block.active AND block.nights && daterange(%(first)s, %(last)s) AND NOT coalesce(
    booking.status = 'pending' AND NOT booking.checkout_open AND booking.hold_expires_at <= %(now)s, false)
"""
_CLOSED = f"""
SELECT lower(block.nights), upper(block.nights), block.kind {_STANDING}
AND block.home_id = %(home)s AND coalesce(block.booking_id <> %(apart_from)s, true)
"""
_HELD = f"SELECT booking.status, booking.hold_expires_at {_STANDING} AND block.home_id = %(home)s"
_LISTED_WITH_PHOTOS = """
SELECT {home}, {photo}
FROM bookings_property home LEFT JOIN bookings_propertyphoto photo ON photo.home_id = home.id
WHERE home.is_listed AND home.slug = %s ORDER BY photo.position, photo.id
"""
_LISTED = """
SELECT {home}, lead.public_id, {is_taken}
FROM bookings_property home LEFT JOIN LATERAL (
    SELECT photo.public_id FROM bookings_propertyphoto photo
    WHERE photo.home_id = home.id ORDER BY photo.position, photo.id LIMIT 1
) lead ON true
WHERE home.is_listed ORDER BY home.name, home.id
"""
_BOOKED = """
SELECT {booking}, {quote}, {home}
FROM bookings_booking booking JOIN bookings_quote quote ON quote.id = booking.quote_id
JOIN bookings_property home ON home.id = quote.home_id
WHERE booking.public_id = %s
"""
_LEAD_PHOTO = """
SELECT photo.public_id FROM bookings_propertyphoto photo
WHERE photo.home_id = %s ORDER BY photo.position, photo.id LIMIT 1
"""
_TAKEN = f"EXISTS (SELECT 1 {_STANDING} AND block.home_id = home.id)"


@dataclass(frozen=True, slots=True)
class ListedHome:
    """A home of the list: its first photo, and whether one of the nights that were asked for is taken."""

    home: Property
    photo_id: UUID | None
    is_taken: bool


def list_listed(*, nights: tuple[date, date] | None, now: datetime) -> list[ListedHome]:
    """Return the homes that are let.

    Args:
        nights: from when until when somebody wants to stay; without them no home is taken.
    """
    first, last = nights or (None, None)
    rows = read_rows(_listed(is_dated=nights is not None), {"first": first, "last": last, "now": now})
    return [ListedHome(models_of(row, Property)[0], row[-2], row[-1]) for row in rows]


def find_listed(slug: str) -> tuple[Property, list[PropertyPhoto]]:
    """Return a home that is let, and its photos.

    Raises:
        Property.DoesNotExist: there is none at this address.
    """
    rows = read_rows(_listed_with_photos(), (slug,))
    if not rows:
        raise Property.DoesNotExist
    found = [models_of(row, Property, PropertyPhoto) for row in rows]
    return found[0][0], [photo for _home, photo in found if photo.pk is not None]


def lead_photo_id(home: Property) -> UUID | None:
    """Return which photo stands for a home, ``None`` when it has none."""
    return next((photo_id for (photo_id,) in read_rows(_LEAD_PHOTO, (home.pk,))), None)


def closed_nights(
    *, home: Property, first: date, last: date, now: datetime, apart_from: Booking | None = None
) -> set[date]:
    """Return the nights of a property, from ``first`` until before ``last``, that cannot be held.

    Args:
        apart_from: a booking whose own nights do not count, because it is to be moved.
    """
    return set(why_closed(home=home, first=first, last=last, now=now, apart_from=apart_from))


def why_closed(
    *, home: Property, first: date, last: date, now: datetime, apart_from: Booking | None = None
) -> dict[date, str]:
    """Return the closed nights with the kind of block that closes each."""
    asked = {"home": home.pk, "first": first, "last": last, "now": now}
    blocks = read_rows(_CLOSED, {**asked, "apart_from": apart_from.pk if apart_from else None})
    return {
        night: kind
        for lower, upper, kind in blocks
        for night in _each_night(max(lower, first), min(upper, last))
    }


class LinkReplaced(Exception):
    """A guest's link that opens nothing any more: there is another, for the address that was corrected."""

    def __init__(self, booking: Booking) -> None:
        self.booking = booking
        super().__init__(booking.pk)


def find_booking(access_token: str) -> Booking:
    """Return the booking behind a guest's link.

    Raises:
        django.core.signing.BadSignature: the token was not made by this site.
        Booking.DoesNotExist: the booking is gone.
        LinkReplaced: the link went to an address that was corrected since.
    """
    public_id, link_number = Booking.read_access_token(access_token)
    rows = read_rows(_booked(), (public_id,))
    if not rows:
        raise Booking.DoesNotExist
    booking, quote, home = models_of(rows[0], Booking, Quote, Property)
    booking.quote, quote.home = quote, home
    if booking.link_number != link_number:
        raise LinkReplaced(booking)
    return cast("Booking", booking)


def arrival_instructions(booking: Booking) -> str:
    """Return how to get into a home, for the guest of a stay that is confirmed; empty for everybody else."""
    return booking.home.arrival_instructions if is_expected(booking) else ""


def is_expected(booking: Booking) -> bool:
    """Tell whether a guest is to come, or there: who cancels is not."""
    return booking.status == BookingStatus.CONFIRMED and booking.cancel_requested_at is None


def find_holds(*, public_ids: Collection[UUID], now: datetime) -> list[Booking]:
    """Return those of these bookings that are holds which stand, the newest first."""
    if not public_ids:
        return []
    stands = Q(checkout_open=True) | Q(hold_expires_at__gt=now)
    holds = Booking.objects.filter(stands, status=BookingStatus.PENDING, cancel_requested_at=None)
    found = holds.filter(public_id__in=public_ids).select_related("quote__home")
    return list(found.order_by("-created_at"))


def find_twin(
    *, home: Property, check_in: date, check_out: date, guest: Guest, since: datetime
) -> Booking | None:
    """Return the hold that the same guest made of the same nights a moment ago: a form sent twice."""
    holds = Booking.objects.filter(
        quote__home=home, quote__nights=nights_between(check_in, check_out), status=BookingStatus.PENDING
    )
    return holds.filter(
        guest_name=guest.name, guest_email=guest.email, guest_phone=guest.phone, created_at__gte=since
    ).first()


def free_at(*, home: Property, check_in: date, check_out: date, now: datetime) -> datetime | None:
    """Return until when nights are held and not paid for; ``None`` if somebody has paid, or they are free."""
    found = read_rows(_HELD, {"home": home.pk, "first": check_in, "last": check_out, "now": now})
    if not found or any(status != BookingStatus.PENDING for status, _until in found):
        return None
    until: datetime = max(until for _status, until in found)
    return max(until, now)


@cache
def _listed_with_photos() -> str:
    return _LISTED_WITH_PHOTOS.format(
        home=columns_of(Property, "home"), photo=columns_of(PropertyPhoto, "photo")
    )


@cache
def _booked() -> str:
    columns = {"booking": Booking, "quote": Quote, "home": Property}
    return _BOOKED.format(**{table: columns_of(model, table) for table, model in columns.items()})


@cache
def _listed(*, is_dated: bool) -> str:
    return _LISTED.format(home=columns_of(Property, "home"), is_taken=_TAKEN if is_dated else "false")


def _each_night(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days)]
