"""A price that Stripe would refuse is refused before it is promised, to guests and to staff."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from bookings import date_changes, policies
from bookings.availability import Stay
from bookings.exceptions import PriceRefused
from bookings.models import Booking
from bookings.quotes import list_homes
from tests.factories import make_hold, make_property

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("amount", "is_taken"),
    [(0, True), (1, False), (999, False), (1_000, True), (99_999_999, True), (100_000_000, False)],
)
def test_what_a_card_can_be_charged(amount: int, is_taken: bool):
    assert policies.can_be_charged(amount) is is_taken


@pytest.mark.parametrize("rate", [1, 1_000, 40_000_000, 99_999_999])
def test_a_stay_whose_deposit_or_balance_stripe_refuses_is_not_held(rate: int):
    home = make_property(nightly_rate_minor=rate, cleaning_fee_minor=0)

    with pytest.raises(PriceRefused):
        make_hold(now=NOW, home=home, nights=5 if rate > 1_000 else 2)

    assert not Booking.objects.exists()


def test_the_home_page_says_so_instead_of_a_price():
    make_property(nightly_rate_minor=60_000_000)
    stay = Stay(check_in=NOW.date().replace(day=12), check_out=NOW.date().replace(day=20), guests=2)

    (listing,) = list_homes(stay=stay, guests=2, now=NOW)

    assert listing.price is None
    assert isinstance(listing.refusal, PriceRefused)


def test_other_dates_are_priced_by_the_same_rule():
    booking = make_hold(now=NOW, home=make_property(nightly_rate_minor=20_000_000), nights=3)
    first = booking.quote.check_in

    with pytest.raises(PriceRefused):
        date_changes.price_change(booking=booking, check_in=first, check_out=first.replace(day=28))


@pytest.mark.parametrize("rate", [1, 90_000_000])
def test_staff_cannot_set_a_price_that_no_card_can_pay(rate: int):
    home = make_property()
    home.nightly_rate_minor, home.cleaning_fee_minor = rate, 0

    with pytest.raises(ValidationError, match="tarjeta"):
        home.full_clean()


def test_the_database_refuses_such_a_quote_whoever_writes_it():
    quote = make_hold(now=NOW).quote
    copied = "home_id, nights, guests, nightly_rate_minor, tax_bps, currency, created_at"
    insert = f"""
        INSERT INTO bookings_quote ({copied}, lodging_minor, discount_minor, cleaning_minor, tax_minor,
            total_minor, deposit_minor)
        SELECT {copied}, 150000000, 0, 0, 0, 150000000, 45000000 FROM bookings_quote WHERE id = %s"""

    with (
        pytest.raises(IntegrityError, match="bookings_quote_can_be_charged"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(insert, [quote.pk])
