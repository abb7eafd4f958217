"""Reading bookings and availability; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Model, Q

from bookings.models import Booking, BookingStatus, Property, PropertyPhoto, nights_between
from bookings.services import Guest

Row = TypeVar("Row", bound=Model)

# What guests ask for with every page is written as SQL: putting it together anew costs more than its answer.
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
    rows = _read(_listed(is_dated=nights is not None), {"first": first, "last": last, "now": now})
    return [ListedHome(_row_of(Property, row), row[-2], row[-1]) for row in rows]


def find_listed(slug: str) -> tuple[Property, list[PropertyPhoto]]:
    """Return a home that is let, and its photos.

    Raises:
        Property.DoesNotExist: there is none at this address.
    """
    rows = _read(_listed_with_photos(), (slug,))
    if not rows:
        raise Property.DoesNotExist
    columns = len(Property._meta.concrete_fields)
    photos = [row[columns:] for row in rows]
    return _row_of(Property, rows[0]), [_row_of(PropertyPhoto, row) for row in photos if row[0] is not None]


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
    blocks = _read(_CLOSED, {**asked, "apart_from": apart_from.pk if apart_from else None})
    return {
        night: kind
        for lower, upper, kind in blocks
        for night in _each_night(max(lower, first), min(upper, last))
    }


def find_booking(access_token: str) -> Booking:
    """Return the booking behind a guest's link.

    Raises:
        django.core.signing.BadSignature: the token was not made by this site.
        Booking.DoesNotExist: the booking is gone.
    """
    return Booking.objects.select_related("quote__home").get(public_id=Booking.public_id_from(access_token))


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
    found = _read(_HELD, {"home": home.pk, "first": check_in, "last": check_out, "now": now})
    if not found or any(status != BookingStatus.PENDING for status, _until in found):
        return None
    until: datetime = max(until for _status, until in found)
    return max(until, now)


@cache
def _listed_with_photos() -> str:
    return _LISTED_WITH_PHOTOS.format(home=_columns(Property, "home"), photo=_columns(PropertyPhoto, "photo"))


@cache
def _listed(*, is_dated: bool) -> str:
    return _LISTED.format(home=_columns(Property, "home"), is_taken=_TAKEN if is_dated else "false")


def _columns(model: type[Model], table: str) -> str:
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def _row_of(model: type[Row], values: tuple[Any, ...]) -> Row:
    """Return the row that begins these values, its columns in the order of ``_columns``."""
    names = [field.attname for field in model._meta.concrete_fields]
    return model.from_db(connection.alias, names, values[: len(names)])


def _read(statement: str, asked: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _each_night(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days)]
