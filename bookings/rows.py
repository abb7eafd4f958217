"""The rows of a stay, written under the locks that ``services`` and ``date_changes`` take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from django.db import IntegrityError, connection

from bookings import policies
from bookings.exceptions import StayUnavailable
from bookings.models import NIGHT_BLOCKS_NEVER_OVERLAP, Booking, NightBlock, Property, Quote, nights_between
from bookings.rules import check_price

# The first key of the advisory lock that queues the writers of one property; the second is its id.
_PROPERTY_LOCK_SPACE = 7_301


def queue_for_property(home_id: int) -> None:
    """Let the writers of one property pass one at a time: without it, overlapping inserts deadlock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_PROPERTY_LOCK_SPACE, home_id))


def make_quote(
    *,
    home: Property,
    check_in: date,
    check_out: date,
    guests: int,
    now: datetime,
    agreed: Quote | None = None,
) -> Quote:
    rate = agreed.nightly_rate_minor if agreed else home.nightly_rate_minor
    taxes = agreed or home
    price = policies.price_stay(
        nights=(check_out - check_in).days,
        nightly_rate_minor=rate,
        cleaning_fee_minor=agreed.cleaning_minor if agreed else home.cleaning_fee_minor,
        tax_bps=taxes.tax_bps,
        lodging_tax_bps=taxes.lodging_tax_bps,
    )
    check_price(price)
    return Quote.objects.create(
        home=home,
        nights=nights_between(check_in, check_out),
        guests=guests,
        nightly_rate_minor=rate,
        tax_bps=taxes.tax_bps,
        lodging_tax_bps=taxes.lodging_tax_bps,
        lodging_tax_minor=price.lodging_tax_minor,
        lodging_minor=price.lodging_minor,
        discount_minor=price.discount_minor,
        cleaning_minor=price.cleaning_minor,
        tax_minor=price.tax_minor,
        total_minor=price.total_minor,
        deposit_minor=price.deposit_minor,
        currency=home.currency,
        created_at=now,
    )


def carry_quote(booking: Booking, quote: Quote) -> None:
    instants = instants_of(quote)
    booking.quote = quote
    booking.arrival_at = instants.arrival_at
    booking.departure_at = instants.departure_at
    booking.balance_due_at = instants.balance_due_at
    booking.save(update_fields=("quote", "arrival_at", "departure_at", "balance_due_at"))


def instants_of(quote: Quote) -> policies.StayInstants:
    return policies.stay_instants(check_in=quote.check_in, check_out=quote.check_out, timezone=quote.home.tz)


def block_nights(
    *, booking: Booking, quote: Quote, now: datetime, kind: NightBlock.Kind = NightBlock.Kind.STAY
) -> None:
    NightBlock.objects.create(
        home=quote.home, booking=booking, nights=quote.nights, kind=kind, created_at=now
    )


def release_nights(
    booking_ids: list[int], *, proof: str, now: datetime, kind: NightBlock.Kind = NightBlock.Kind.STAY
) -> None:
    NightBlock.objects.filter(booking_id__in=booking_ids, kind=kind, active=True).update(
        active=False, released_at=now, release_proof=proof
    )


@contextmanager
def refusing_overlap() -> Iterator[None]:
    """Turn the database's refusal of overlapping nights into a kind error, which ends the transaction.

    Raises:
        StayUnavailable: somebody else has one of the nights.
    """
    try:
        yield
    except IntegrityError as error:
        if NIGHT_BLOCKS_NEVER_OVERLAP in str(error):
            raise StayUnavailable from error
        raise
