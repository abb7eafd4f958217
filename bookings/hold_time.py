"""More time for a hold: once, and only while nobody else asks for its nights.

The row of the hold decides, and a constraint keeps it: a hold that somebody waits for is never extended.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db.models import F, Q, Value
from django.db.models.functions import Greatest

from bookings import policies
from bookings.exceptions import HoldExpired, HoldNotExtended
from bookings.models import Booking, BookingStatus, NightBlock, Property, nights_between

_AN_INSTANT = timedelta(microseconds=1)


def extend_hold(*, booking: Booking, now: datetime) -> None:
    """Give a guest more time to pay, once; call it with the booking locked.

    Raises:
        HoldExpired: the booking is no hold any more, or its time has run out.
        HoldNotExtended: it was extended before, or somebody else asks for its nights.
    """
    if booking.status != BookingStatus.PENDING or booking.cancel_requested_at is not None:
        raise HoldExpired
    if not booking.checkout_open and booking.hold_expires_at <= now:
        raise HoldExpired
    # Who asks for the nights locks no booking: the row as it is at this instant decides.
    unasked = Booking.objects.filter(pk=booking.pk, hold_extended_at=None, wanted_at=None)
    if not unasked.update(
        hold_extended_at=now, hold_expires_at=F("hold_expires_at") + policies.HOLD_EXTENSION
    ):
        raise HoldNotExtended
    booking.refresh_from_db(fields=("hold_extended_at", "hold_expires_at"))


def note_wanted(*, home: Property, check_in: date, check_out: date, held_by: str, now: datetime) -> None:
    """Write down on the holds in the way that somebody else waits for their nights.

    Args:
        held_by: who waits; nobody waits for their own hold.
    """
    in_the_way = NightBlock.objects.filter(
        home=home, active=True, nights__overlap=nights_between(check_in, check_out)
    )
    holds = Booking.objects.filter(status=BookingStatus.PENDING, pk__in=in_the_way.values("booking_id"))
    # A clock may be behind the one by which the hold was extended: who asks now asks after that.
    after_it = Greatest(Value(now), F("hold_extended_at") + _AN_INSTANT)
    holds.exclude(~Q(held_by=""), held_by=held_by).update(wanted_at=after_it)
