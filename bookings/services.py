"""Every change of a booking and its nights, each in one transaction.

Rows are locked in one order everywhere: the booking, then its property's advisory lock, then the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction

from bookings import policies
from bookings.exceptions import (
    HoldExpired,
    NotConfirmed,
    SleptNightsMoved,
    StayUnavailable,
)
from bookings.hold_caps import require_room
from bookings.models import (
    NIGHT_BLOCKS_NEVER_OVERLAP,
    Booking,
    BookingChangeLog,
    BookingStatus,
    NightBlock,
    Property,
    Quote,
    nights_between,
)
from bookings.rules import check_guests, check_nights, check_price

# The first key of the advisory lock that queues the writers of one property; the second is its id.
_PROPERTY_LOCK_SPACE = 7_301
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
) -> Booking:
    """Hold nights for a guest for ``policies.HOLD_DURATION``.

    Args:
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
        _queue_for_property(home.pk)
        expire_holds(now=now, home=home)
        quote = _make_quote(home=home, check_in=check_in, check_out=check_out, guests=guests, now=now)
        booking = _make_booking(quote=quote, guest=guest, held_by=held_by, now=now)
        with _refusing_overlap():
            _block_nights(booking=booking, quote=quote, now=now)
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
    booking.guest_email = email
    booking.save(update_fields=("guest_email",))


def confirm_booking(*, booking: Booking, now: datetime) -> None:
    """Turn a paid hold into a confirmed stay; call it with the booking locked."""
    booking.status = BookingStatus.CONFIRMED
    booking.confirmed_at = now
    booking.checkout_open = False
    booking.save(update_fields=("status", "confirmed_at", "checkout_open"))


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
    _release_nights([booking.pk], proof=proof, now=now)
    booking.status = BookingStatus.CANCELLED
    booking.cancelled_at = now
    booking.checkout_open = False
    booking.save(update_fields=("status", "cancelled_at", "checkout_open"))


def expire_hold(*, booking: Booking, proof: str, now: datetime) -> None:
    """End a hold whose Checkout Session is over, on proof; call it with the booking locked."""
    _release_nights([booking.pk], proof=proof, now=now)
    booking.status = BookingStatus.EXPIRED
    booking.checkout_open = False
    booking.save(update_fields=("status", "checkout_open"))


def change_nights(*, booking: Booking, check_in: date, check_out: date, now: datetime) -> Quote:
    """Move a confirmed stay to other nights at the agreed price per night; call it with the booking locked.

    Returns:
        The new quote; the booking carries it already.

    Raises:
        NotConfirmed: only a confirmed booking moves.
        SleptNightsMoved: the change would move nights already slept.
        NightsRefused, PriceRefused, StayUnavailable: as for a new stay.
    """
    if booking.status != BookingStatus.CONFIRMED or booking.cancel_requested_at is not None:
        raise NotConfirmed(status=booking.status)
    _check_change(booking, check_in, check_out, today=now.astimezone(booking.home.tz).date())
    with transaction.atomic():
        _queue_for_property(booking.home.pk)
        expire_holds(now=now, home=booking.home)
        old_quote = booking.quote
        quote = _make_quote(
            home=booking.home,
            check_in=check_in,
            check_out=check_out,
            guests=old_quote.guests,
            now=now,
            agreed=old_quote,
        )
        _release_nights([booking.pk], proof="dates changed", now=now)
        with _refusing_overlap():
            _block_nights(booking=booking, quote=quote, now=now)
        _carry_quote(booking, quote)
        BookingChangeLog.objects.create(booking=booking, old_quote=old_quote, new_quote=quote, applied_at=now)
    return quote


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
    )
    check_price(price)
    return price


def _check_change(booking: Booking, check_in: date, check_out: date, *, today: date) -> None:
    old_check_in = booking.quote.check_in
    if policies.moves_slept_nights(
        old_check_in=old_check_in, check_in=check_in, check_out=check_out, today=today
    ):
        raise SleptNightsMoved
    # A stay that has begun keeps its arrival, which is then no longer "in the past".
    check_nights(home=booking.home, check_in=check_in, check_out=check_out, today=min(today, old_check_in))


def _queue_for_property(home_id: int) -> None:
    """Let the writers of one property pass one at a time: without it, overlapping inserts deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_PROPERTY_LOCK_SPACE, home_id))


def _make_quote(
    *,
    home: Property,
    check_in: date,
    check_out: date,
    guests: int,
    now: datetime,
    agreed: Quote | None = None,
) -> Quote:
    rate = agreed.nightly_rate_minor if agreed else home.nightly_rate_minor
    tax_bps = agreed.tax_bps if agreed else home.tax_bps
    price = policies.price_stay(
        nights=(check_out - check_in).days,
        nightly_rate_minor=rate,
        cleaning_fee_minor=agreed.cleaning_minor if agreed else home.cleaning_fee_minor,
        tax_bps=tax_bps,
    )
    check_price(price)
    return Quote.objects.create(
        home=home,
        nights=nights_between(check_in, check_out),
        guests=guests,
        nightly_rate_minor=rate,
        tax_bps=tax_bps,
        lodging_minor=price.lodging_minor,
        discount_minor=price.discount_minor,
        cleaning_minor=price.cleaning_minor,
        tax_minor=price.tax_minor,
        total_minor=price.total_minor,
        deposit_minor=price.deposit_minor,
        currency=home.currency,
        created_at=now,
    )


def _make_booking(*, quote: Quote, guest: Guest, held_by: str, now: datetime) -> Booking:
    instants = _instants(quote)
    return Booking.objects.create(
        quote=quote,
        guest_name=guest.name,
        guest_email=guest.email,
        guest_phone=guest.phone,
        language=guest.language,
        arrival_at=instants.arrival_at,
        departure_at=instants.departure_at,
        balance_due_at=instants.balance_due_at,
        hold_expires_at=now + policies.HOLD_DURATION,
        held_by=held_by,
        created_at=now,
    )


def _carry_quote(booking: Booking, quote: Quote) -> None:
    instants = _instants(quote)
    booking.quote = quote
    booking.arrival_at = instants.arrival_at
    booking.departure_at = instants.departure_at
    booking.balance_due_at = instants.balance_due_at
    booking.save(update_fields=("quote", "arrival_at", "departure_at", "balance_due_at"))


def _instants(quote: Quote) -> policies.StayInstants:
    return policies.stay_instants(check_in=quote.check_in, check_out=quote.check_out, timezone=quote.home.tz)


def _block_nights(*, booking: Booking, quote: Quote, now: datetime) -> None:
    NightBlock.objects.create(home=quote.home, booking=booking, nights=quote.nights, created_at=now)


def _release_nights(booking_ids: list[int], *, proof: str, now: datetime) -> None:
    NightBlock.objects.filter(booking_id__in=booking_ids, active=True).update(
        active=False, released_at=now, release_proof=proof
    )


def _expire_some_holds(*, now: datetime, home: Property | None) -> int:
    overdue = Booking.objects.filter(
        status=BookingStatus.PENDING,
        checkout_open=False,
        hold_expires_at__lte=now,
        cancel_requested_at__isnull=True,
    )
    if home is not None:
        overdue = overdue.filter(quote__home=home)
    with transaction.atomic():
        locked = overdue.select_for_update(of=("self",), skip_locked=True, no_key=True)
        ids = list(locked.values_list("pk", flat=True)[:_EXPIRY_BATCH])
        _release_nights(ids, proof="held without a Checkout Session", now=now)
        return Booking.objects.filter(pk__in=ids).update(status=BookingStatus.EXPIRED)


@contextmanager
def _refusing_overlap() -> Iterator[None]:
    """Turn the database's refusal of overlapping nights into a kind error.

    Raises:
        StayUnavailable: somebody else has one of the nights.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if NIGHT_BLOCKS_NEVER_OVERLAP in str(error):
            raise StayUnavailable from error
        raise
