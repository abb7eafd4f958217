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
    """Let this browser find its way back to a hold that was made in it."""
    _write(response, request, booking, booking.public_id.hex)


def remember_link(response: HttpResponse, request: HttpRequest, booking: Booking) -> None:
    """Let this browser find its way to the link that a hold has now, and to none that comes after it."""
    if booking.public_id.hex not in _marks(request):
        _write(response, request, booking, _mark_of_link(booking))


def _write(response: HttpResponse, request: HttpRequest, booking: Booking, mark: str) -> None:
    others = (each for each in _marks(request) if not each.startswith(booking.public_id.hex))
    response.set_signed_cookie(
        _COOKIE,
        ".".join([mark, *others][:_MOST]),
        salt=_SALT,
        max_age=_REMEMBERED_FOR,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )


def find(request: HttpRequest, *, now: datetime) -> list[Booking]:
    """Return the holds of this browser that stand, the newest first."""
    found = queries.find_holds(public_ids=_read(request), now=now)
    return [booking for booking in found if is_remembered(request, booking)]


def is_remembered(request: HttpRequest, booking: Booking) -> bool:
    """Tell whether a booking was held in this browser, or its present link given out to it."""
    return not {booking.public_id.hex, _mark_of_link(booking)}.isdisjoint(_marks(request))


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


def _mark_of_link(booking: Booking) -> str:
    return f"{booking.public_id.hex}-{booking.link_number}"


def _read(request: HttpRequest) -> list[UUID]:
    ids = []
    for mark in _marks(request):
        with suppress(ValueError):  # Signed by us, but by a release that wrote it otherwise.
            ids.append(UUID(hex=mark.partition("-")[0]))
    return ids


def _marks(request: HttpRequest) -> list[str]:
    value = request.get_signed_cookie(_COOKIE, default="", salt=_SALT, max_age=_REMEMBERED_FOR)
    return (value or "").split(".")[:_MOST]
