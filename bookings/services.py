"""Every change of a booking and its nights, each in one transaction.

Rows are locked in one order everywhere: the booking, then its property's advisory lock, then the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from bookings import policies
from bookings.exceptions import HoldExpired
from bookings.hold_caps import require_room
from bookings.models import Booking, BookingStatus, Property, Quote
from bookings.rows import (
    block_nights,
    instants_of,
    make_quote,
    queue_for_property,
    refusing_overlap,
    release_nights,
)
from bookings.rules import check_guests, check_nights

_EXPIRY_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who asks for a stay, and how to reach them."""

    name: str
    email: str
    phone: str = ""
    language: str = "es-mx"


def hold_stay(
    *,
    home: Property,
    check_in: date,
    check_out: date,
    guests: int,
    guest: Guest,
    now: datetime,
    held_by: str = "",
    hold_for: timedelta = policies.HOLD_DURATION,
) -> Booking:
    """Hold nights for a guest.

    Args:
        hold_for: until when the deposit has to be paid; longer where the guest is on the telephone.
        held_by: what stands for the visitor who asks; their unpaid holds are capped.

    Raises:
        NightsRefused: the dates break a rule of the property.
        TooManyGuests: more guests than the property takes.
        PriceRefused: no card can be charged the price.
        StayUnavailable: somebody else has one of the nights.
        TooManyHolds: the visitor holds too much that is not paid.
    """
    today = now.astimezone(home.tz).date()
    check_nights(home=home, check_in=check_in, check_out=check_out, today=today)
    check_guests(home=home, guests=guests)
    nights = (check_out - check_in).days
    with transaction.atomic():
        require_room(home=home, nights=nights, held_by=held_by, email=guest.email, now=now)
        queue_for_property(home.pk)
        expire_holds(now=now, home=home)
        quote = make_quote(home=home, check_in=check_in, check_out=check_out, guests=guests, now=now)
        booking = _make_booking(quote=quote, guest=guest, held_by=held_by, hold_for=hold_for, now=now)
        with refusing_overlap():
            block_nights(booking=booking, quote=quote, now=now)
    return booking


def lock_booking(booking_id: int) -> Booking:
    """Lock a booking's row until the transaction ends, and read it afresh.

    Raises:
        Booking.DoesNotExist: there is no such booking.
    """
    bookings = Booking.objects.select_for_update(of=("self",), no_key=True)
    return bookings.select_related("quote__home").get(pk=booking_id)


def keep_hold(*, booking: Booking, now: datetime) -> None:
    """Keep a hold while its Checkout Session may take money; call it with the booking locked.

    Its hour stays what the guest was shown: a page that is never opened prolongs nothing.

    Raises:
        HoldExpired: the booking is no hold any more, or its time has run out.
    """
    if booking.status != BookingStatus.PENDING or booking.cancel_requested_at is not None:
        raise HoldExpired
    if not booking.checkout_open and booking.hold_expires_at <= now:
        raise HoldExpired
    booking.checkout_open = True
    booking.save(update_fields=("checkout_open",))


def prolong_hold(*, booking: Booking, until: datetime) -> None:
    """Hold for as long as the page that was opened can be paid; call it with the booking locked."""
    if booking.status == BookingStatus.PENDING:
        booking.hold_expires_at = max(booking.hold_expires_at, until)
        booking.save(update_fields=("hold_expires_at",))


def return_to_hold(*, booking: Booking) -> None:
    """Leave a hold to its own clock again, as nobody can pay it now; call it with the booking locked."""
    booking.checkout_open = False
    booking.save(update_fields=("checkout_open",))


def correct_email(*, booking: Booking, email: str) -> None:
    """Write to another address of the guest's from now on; call it with the booking locked.

    Raises:
        HoldExpired: the booking is no hold any more.
    """
    if booking.status != BookingStatus.PENDING or booking.cancel_requested_at is not None:
        raise HoldExpired
    replace_email(booking=booking, email=email)


def replace_email(*, booking: Booking, email: str) -> None:
    """Write to another address whatever became of the booking; call it with the booking locked.

    Whoever has the address that was wrong has a link as well: it ends, and the booking gets another.
    """
    booking.link_number += email.lower() != booking.guest_email.lower()
    booking.guest_email = email
    booking.save(update_fields=("guest_email", "link_number"))


def confirm_booking(*, booking: Booking, now: datetime) -> None:
    """Turn a paid hold into a confirmed stay; call it with the booking locked."""
    booking.status = BookingStatus.CONFIRMED
    booking.confirmed_at = now
    booking.checkout_open = False
    booking.save(update_fields=("status", "confirmed_at", "checkout_open"))


def unsettle_booking(*, booking: Booking) -> None:
    """Note that something is owed again; call it with the booking locked."""
    booking.settled_at = None
    booking.save(update_fields=("settled_at",))


def settle_booking(*, booking: Booking, now: datetime) -> None:
    """Note that nothing is owed any more; call it with the booking locked."""
    booking.settled_at = now
    booking.save(update_fields=("settled_at",))


def request_cancellation(*, booking: Booking, now: datetime) -> bool:
    """Stop every new charge of a booking; call it with the booking locked. Returns whether it was news."""
    if booking.cancel_requested_at is not None or booking.status not in (
        BookingStatus.PENDING,
        BookingStatus.CONFIRMED,
    ):
        return False
    booking.cancel_requested_at = now
    booking.save(update_fields=("cancel_requested_at",))
    return True


def cancel_booking(*, booking: Booking, proof: str, now: datetime) -> None:
    """End a booking and release its nights; call it with the booking locked."""
    release_nights([booking.pk], proof=proof, now=now)
    booking.status = BookingStatus.CANCELLED
    booking.cancelled_at = now
    booking.checkout_open = False
    booking.save(update_fields=("status", "cancelled_at", "checkout_open"))


def expire_hold(*, booking: Booking, proof: str, now: datetime) -> None:
    """End a hold whose Checkout Session is over, on proof; call it with the booking locked."""
    release_nights([booking.pk], proof=proof, now=now)
    booking.status = BookingStatus.EXPIRED
    booking.checkout_open = False
    booking.save(update_fields=("status", "checkout_open"))


def expire_holds(*, now: datetime, home: Property | None = None) -> int:
    """Release every hold whose time has run out and which nobody is paying. Returns how many."""
    expired = 0
    while batch := _expire_some_holds(now=now, home=home):
        expired += batch
    return expired


def complete_departed(*, now: datetime) -> int:
    """Complete the stays that have ended and owe nothing. Returns how many.

    A stay that still owes money stays confirmed, and so collectable.
    """
    departed = Booking.objects.filter(
        status=BookingStatus.CONFIRMED,
        departure_at__lte=now,
        settled_at__isnull=False,
        cancel_requested_at__isnull=True,
    )
    return departed.update(status=BookingStatus.COMPLETED)


def _expire_some_holds(*, now: datetime, home: Property | None) -> int:
    overdue = Booking.objects.filter(
        status=BookingStatus.PENDING,
        checkout_open=False,
        hold_expires_at__lte=now,
        cancel_requested_at__isnull=True,
    )
    if home is not None:
        overdue = overdue.filter(quote__home=home)
    with transaction.atomic(savepoint=False):  # Whoever holds nights has begun one.
        locked = overdue.select_for_update(of=("self",), skip_locked=True, no_key=True)
        ids = list(locked.values_list("pk", flat=True)[:_EXPIRY_BATCH])
        release_nights(ids, proof="held without a Checkout Session", now=now)
        return Booking.objects.filter(pk__in=ids).update(status=BookingStatus.EXPIRED)


def _make_booking(*, quote: Quote, guest: Guest, held_by: str, hold_for: timedelta, now: datetime) -> Booking:
    instants = instants_of(quote)
    return Booking.objects.create(
        quote=quote,
        guest_name=guest.name,
        guest_email=guest.email,
        guest_phone=guest.phone,
        language=guest.language,
        arrival_at=instants.arrival_at,
        departure_at=instants.departure_at,
        balance_due_at=instants.balance_due_at,
        hold_expires_at=now + hold_for,
        held_by=held_by,
        created_at=now,
    )
