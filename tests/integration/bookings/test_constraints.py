"""What the database itself refuses about bookings and nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bookings.models import Booking, NightBlock, Property, Quote, nights_between
from tests.factories import make_confirmed_booking, make_hold, make_property
from tests.integration.constraints import (
    assert_only_the_database_prevents,
    drop_constraint,
    drop_rules,
    drop_trigger,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)


def force(booking: Booking, **columns: object) -> None:
    Booking.objects.filter(pk=booking.pk).update(**columns)


def block(booking: Booking, first: date, last: date) -> NightBlock:
    return NightBlock.objects.create(
        home=booking.home, booking=booking, nights=nights_between(first, last), created_at=NOW
    )


def without_coherence_checks() -> None:
    """Overlaps are made with blocks that belong to no quote: leave that to its own test."""
    drop_rules(drop_trigger("bookings_nightblock", "bookings_block_belongs_to_a_living_booking"))


def test_two_bookings_never_block_the_same_night_of_a_property():
    home = make_property()
    first = make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=4)
    second = make_hold(now=NOW, home=home, check_in=date(2026, 12, 10))
    without_coherence_checks()

    assert_only_the_database_prevents(
        fault=lambda: block(second, first.quote.check_in, first.quote.check_out),
        rule="bookings_night_blocks_never_overlap",
        drop=drop_constraint("bookings_nightblock", "bookings_night_blocks_never_overlap"),
    )


def test_a_stay_may_begin_on_the_day_another_ends():
    home = make_property()
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=4)

    following = make_hold(now=NOW, home=home, check_in=date(2026, 12, 5))

    assert following.night_blocks.get().active


def test_one_booking_may_block_its_old_and_its_new_nights_at_once():
    booking = make_hold(now=NOW, check_in=date(2026, 12, 1), nights=4)
    without_coherence_checks()

    block(booking, date(2026, 12, 2), date(2026, 12, 6))

    assert booking.night_blocks.filter(active=True).count() == 2


def test_a_living_booking_blocks_exactly_its_nights():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: NightBlock.objects.filter(booking=booking).update(
            active=False, released_at=NOW, release_proof="none"
        ),
        rule="is for the nights",
        drop=drop_trigger("bookings_nightblock", "bookings_block_belongs_to_a_living_booking"),
    )


def test_a_booking_that_has_ended_blocks_nothing():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, status="expired"),
        rule="is for the nights",
        drop=drop_trigger("bookings_booking", "bookings_booking_blocks_its_nights"),
    )


def test_nights_are_released_on_proof_only():
    booking = make_hold(now=NOW)
    without_coherence_checks()

    assert_only_the_database_prevents(
        fault=lambda: NightBlock.objects.filter(booking=booking).update(active=False, released_at=NOW),
        rule="bookings_released_nights_have_a_proof",
        drop=drop_constraint("bookings_nightblock", "bookings_released_nights_have_a_proof"),
    )


def test_a_block_of_no_nights_is_refused():
    booking = make_hold(now=NOW)
    without_coherence_checks()

    assert_only_the_database_prevents(
        fault=lambda: block(booking, date(2026, 12, 1), date(2026, 12, 1)),
        rule="bookings_night_block_is_not_empty",
        drop=drop_constraint("bookings_nightblock", "bookings_night_block_is_not_empty"),
    )


def test_a_quote_never_changes():
    quote = make_hold(now=NOW).quote

    assert_only_the_database_prevents(
        fault=lambda: Quote.objects.filter(pk=quote.pk).update(guests=1),
        rule="never changes",
        drop=drop_trigger("bookings_quote", "bookings_quote_never_changes"),
    )


def copy_quote(quote: Quote, **changed: object) -> Quote:
    columns = {field.attname: getattr(quote, field.attname) for field in Quote._meta.concrete_fields}
    return Quote.objects.create(**{**columns, "id": None, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"guests": 5},
        {"nights": nights_between(date(2026, 12, 1), date(2026, 12, 2))},
        {"nights": nights_between(date(2026, 12, 1), date(2027, 12, 2))},
        {"nights": nights_between(date(2026, 12, 1), date(2026, 12, 1))},
    ],
    ids=["capacity and one more", "one night", "a year and a day", "no night"],
)
def test_a_quote_keeps_the_rules_of_its_property(changed):
    quote = make_hold(now=NOW).quote

    assert_only_the_database_prevents(
        fault=lambda: copy_quote(quote, **changed),
        rule="breaks a rule",
        drop=drop_trigger("bookings_quote", "bookings_quote_keeps_the_rules"),
    )


def test_a_quote_adds_up():
    quote = make_hold(now=NOW).quote

    assert_only_the_database_prevents(
        fault=lambda: copy_quote(quote, total_minor=quote.total_minor - 1),
        rule="bookings_quote_adds_up",
        drop=drop_constraint("bookings_quote", "bookings_quote_adds_up"),
    )


def test_a_quote_is_for_somebody():
    quote = make_hold(now=NOW).quote

    assert_only_the_database_prevents(
        fault=lambda: copy_quote(quote, guests=0),
        rule="bookings_quote_has_guests",
        drop=drop_constraint("bookings_quote", "bookings_quote_has_guests"),
    )


@pytest.mark.parametrize("status", ["pending", "expired"])
def test_a_confirmed_booking_goes_neither_back_nor_into_expiry(status):
    booking = make_confirmed_booking(now=NOW)
    drop_rules(drop_trigger("bookings_booking", "bookings_booking_blocks_its_nights"))

    assert_only_the_database_prevents(
        fault=lambda: force(booking, status=status),
        rule="cannot go from confirmed",
        drop=drop_trigger("bookings_booking", "bookings_booking_transition"),
    )


def test_a_status_that_nobody_knows_is_refused():
    booking = make_hold(now=NOW)
    drop_rules(
        drop_trigger("bookings_booking", "bookings_booking_transition"),
        drop_trigger("bookings_booking", "bookings_booking_blocks_its_nights"),
    )

    assert_only_the_database_prevents(
        fault=lambda: force(booking, status="paid"),
        rule="bookings_booking_status_known",
        drop=drop_constraint("bookings_booking", "bookings_booking_status_known"),
    )


def test_a_confirmed_booking_says_since_when():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, status="confirmed"),
        rule="bookings_confirmed_has_its_instant",
        drop=drop_constraint("bookings_booking", "bookings_confirmed_has_its_instant"),
    )


def test_a_cancelled_booking_says_since_when():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, cancelled_at=NOW),
        rule="bookings_cancelled_has_its_instant",
        drop=drop_constraint("bookings_booking", "bookings_cancelled_has_its_instant"),
    )


def test_a_booking_that_owes_money_is_never_completed():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, status="completed"),
        rule="bookings_completed_owes_nothing",
        drop=drop_constraint("bookings_booking", "bookings_completed_owes_nothing"),
    )


def test_only_a_hold_is_being_paid():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, checkout_open=True),
        rule="bookings_only_a_hold_is_being_paid",
        drop=drop_constraint("bookings_booking", "bookings_only_a_hold_is_being_paid"),
    )


def test_a_stay_does_not_end_before_it_begins():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: force(booking, departure_at=booking.arrival_at - timedelta(days=1)),
        rule="bookings_instants_in_order",
        drop=drop_constraint("bookings_booking", "bookings_instants_in_order"),
    )


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"nightly_rate_minor": 0}, "bookings_property_amounts_make_sense"),
        ({"cleaning_fee_minor": -1}, "bookings_property_amounts_make_sense"),
        ({"tax_bps": 10_001}, "bookings_property_amounts_make_sense"),
        ({"min_nights": 1}, "bookings_property_rules_make_sense"),
        ({"min_nights": 8, "max_nights": 7}, "bookings_property_rules_make_sense"),
        ({"capacity": 0}, "bookings_property_rules_make_sense"),
        ({"currency": "usd"}, "bookings_property_lets_in_pesos"),
    ],
)
def test_a_property_makes_sense(changed, rule):
    home = make_property()

    assert_only_the_database_prevents(
        fault=lambda: Property.objects.filter(pk=home.pk).update(**changed),
        rule=rule,
        drop=drop_constraint("bookings_property", rule),
    )
