"""Reading bookings and availability; nothing here writes."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db.models import Q

from bookings.models import Booking, BookingStatus, NightBlock, Property, nights_between


def closed_nights(*, home: Property, first: date, last: date, now: datetime) -> set[date]:
    """Return the nights of a property, from ``first`` until before ``last``, that cannot be held."""
    # A hold whose time has run out, and which nobody is paying, is released by the next guest who asks.
    lapsed = Q(
        booking__status=BookingStatus.PENDING, booking__checkout_open=False, booking__hold_expires_at__lte=now
    )
    blocks = NightBlock.objects.filter(home=home, active=True, nights__overlap=nights_between(first, last))
    return {
        night
        for nights in blocks.exclude(lapsed).values_list("nights", flat=True)
        for night in _each_night(max(nights.lower, first), min(nights.upper, last))
    }


def find_booking(access_token: str) -> Booking:
    """Return the booking behind a guest's link.

    Raises:
        django.core.signing.BadSignature: the token was not made by this site.
        Booking.DoesNotExist: the booking is gone.
    """
    return Booking.objects.select_related("quote__home").get(public_id=Booking.public_id_from(access_token))


def _each_night(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days)]
