"""The way back: a browser remembers the nights it holds, so that a closed tab is no lost hold.

Signed, and kept out of the database; it opens nothing but holds that stand, and ends with them.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from bookings import queries
from bookings.availability import Stay
from bookings.models import Booking, Property

_COOKIE = "apartados"
_SALT = "bookings.own_holds"
_MOST = 5
# Longer than a hold lasts, its payment page with it.
_REMEMBERED_FOR = timedelta(hours=2)


def remember(response: HttpResponse, request: HttpRequest, booking: Booking) -> None:
    """Let this browser find its way back to a hold."""
    ids = [booking.public_id, *(each for each in _read(request) if each != booking.public_id)]
    response.set_signed_cookie(
        _COOKIE,
        ".".join(each.hex for each in ids[:_MOST]),
        salt=_SALT,
        max_age=_REMEMBERED_FOR,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def find(request: HttpRequest, *, now: datetime) -> list[Booking]:
    """Return the holds of this browser that stand, the newest first."""
    return queries.find_holds(public_ids=_read(request), now=now)


def is_remembered(request: HttpRequest, booking: Booking) -> bool:
    """Tell whether a booking was held by this browser."""
    return booking.public_id in _read(request)


def find_same(holds: list[Booking], *, home: Property, stay: Stay) -> Booking | None:
    """Return the hold of exactly this stay at this home."""
    return next((hold for hold in holds if _is_at(hold, home) and _nights(hold) == _nights_of(stay)), None)


def overlap(holds: list[Booking], *, home: Property, stay: Stay | None) -> bool:
    """Tell whether nights that are asked for are this browser's own."""
    return stay is not None and any(
        _is_at(hold, home) and hold.quote.check_in < stay.check_out and stay.check_in < hold.quote.check_out
        for hold in holds
    )


def _is_at(hold: Booking, home: Property) -> bool:
    return hold.quote.home_id == home.pk


def _nights(hold: Booking) -> tuple[object, object]:
    return hold.quote.check_in, hold.quote.check_out


def _nights_of(stay: Stay) -> tuple[object, object]:
    return stay.check_in, stay.check_out


def _read(request: HttpRequest) -> list[UUID]:
    value = request.get_signed_cookie(_COOKIE, default="", salt=_SALT, max_age=_REMEMBERED_FOR)
    ids = []
    for part in (value or "").split(".")[:_MOST]:
        with suppress(ValueError):  # Signed by us, but by a release that wrote it otherwise.
            ids.append(UUID(hex=part))
    return ids
