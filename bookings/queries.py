"""Reading bookings and availability; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from bookings.models import Booking, BookingStatus, NightBlock, Property, PropertyPhoto, nights_between
from bookings.services import Guest


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
    blocks = _standing_blocks(first, last, now).filter(home=home)
    if apart_from is not None:
        blocks = blocks.exclude(booking=apart_from)
    return {
        night: kind
        for nights, kind in blocks.values_list("nights", "kind")
        for night in _each_night(max(nights.lower, first), min(nights.upper, last))
    }


def homes_taken(*, check_in: date, check_out: date, now: datetime) -> set[int]:
    """Return the ids of the properties of which at least one of these nights cannot be held."""
    return set(_standing_blocks(check_in, check_out, now).values_list("home_id", flat=True))


def lead_photos() -> dict[int, PropertyPhoto]:
    """Return the photo that stands for each property that has one, by the property's id."""
    first = PropertyPhoto.objects.order_by("home_id", "position", "id").distinct("home_id")
    return {photo.home_id: photo for photo in first}


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
    blocks = _standing_blocks(check_in, check_out, now).filter(home=home)
    found = blocks.values_list("booking__status", "booking__hold_expires_at")
    if not found or any(status != BookingStatus.PENDING for status, _until in found):
        return None
    return max(max(until for _status, until in found), now)


def _standing_blocks(first: date, last: date, now: datetime) -> QuerySet[NightBlock]:
    # A hold whose time has run out, and which nobody is paying, is released by the next guest who asks.
    lapsed = Q(
        booking__status=BookingStatus.PENDING, booking__checkout_open=False, booking__hold_expires_at__lte=now
    )
    return NightBlock.objects.filter(active=True, nights__overlap=nights_between(first, last)).exclude(lapsed)


def _each_night(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days)]
