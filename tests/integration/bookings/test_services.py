"""Holding, moving and ending stays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation

from bookings import date_changes, queries, services
from bookings.closures import close_nights
from bookings.exceptions import (
    HoldExpired,
    NightsRefused,
    NotConfirmed,
    SleptNightsMoved,
    StayUnavailable,
    TooManyGuests,
)
from bookings.models import Booking, BookingStatus
from tests.factories import make_confirmed_booking, make_deposit_attempt, make_hold, make_property

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
IN_HALF_AN_HOUR = NOW + timedelta(minutes=30)


@pytest.fixture(autouse=True)
def in_english():
    with translation.override("en"):
        yield


def test_a_hold_keeps_its_nights_for_half_an_hour_at_the_price_shown():
    booking = make_hold(now=NOW, check_in=date(2026, 12, 1), nights=2)

    assert booking.status == BookingStatus.PENDING
    assert booking.hold_expires_at == IN_HALF_AN_HOUR
    assert booking.quote.total_minor == 359_600
    assert booking.quote.deposit_minor == 107_880
    assert booking.balance_due_at == datetime(2026, 12, 3, 21, tzinfo=UTC)


def test_nights_that_somebody_holds_are_refused_kindly_and_nothing_is_left_behind():
    home = make_property()
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=4)

    with pytest.raises(StayUnavailable, match="Choose other dates"):
        make_hold(now=NOW, home=home, check_in=date(2026, 12, 4), nights=3)

    assert Booking.objects.count() == 1


def test_nights_whose_hold_has_run_out_can_be_held_at_once_by_somebody_else():
    home = make_property()
    lapsed = make_hold(now=NOW, home=home, check_in=date(2026, 12, 1))

    make_hold(now=IN_HALF_AN_HOUR, home=home, check_in=date(2026, 12, 1))

    lapsed.refresh_from_db()
    assert lapsed.status == BookingStatus.EXPIRED


@pytest.mark.parametrize(
    ("check_in", "nights", "message"),
    [
        (date(2026, 11, 1), 3, "in the past"),
        (date(2026, 12, 1), -3, "after check-in"),
        (date(2026, 12, 1), 0, "after check-in"),
        (date(2026, 12, 1), 1, "at least 2 nights"),
        (date(2026, 12, 1), 366, "at most 365 nights"),
    ],
)
def test_nights_that_break_a_rule_are_refused_with_what_to_do(check_in, nights, message):
    with pytest.raises(NightsRefused, match=message):
        make_hold(now=NOW, check_in=check_in, nights=nights)


def test_today_is_the_propertys_today():
    late_in_mexico = datetime(2026, 12, 2, 5, tzinfo=UTC)  # still 1 December there

    booking = make_hold(now=late_in_mexico, check_in=date(2026, 12, 1))

    assert booking.quote.check_in == date(2026, 12, 1)


def test_more_guests_than_beds_are_refused():
    with pytest.raises(TooManyGuests, match="up to 4 guests"):
        make_hold(now=NOW, guests=5)


def test_expired_holds_are_released_and_counted():
    gone = [make_hold(now=NOW) for _ in range(3)]
    fresh = make_hold(now=NOW + timedelta(minutes=1))

    assert services.expire_holds(now=IN_HALF_AN_HOUR) == 3
    assert services.expire_holds(now=IN_HALF_AN_HOUR) == 0

    for booking in gone:
        booking.refresh_from_db()
        assert booking.status == BookingStatus.EXPIRED
        assert not booking.night_blocks.get().active
    fresh.refresh_from_db()
    assert fresh.status == BookingStatus.PENDING


def test_a_hold_that_is_being_paid_is_not_released_by_the_clock():
    booking = make_hold(now=NOW)
    make_deposit_attempt(booking=booking, now=NOW)

    assert services.expire_holds(now=NOW + timedelta(days=1)) == 0

    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING
    assert booking.checkout_open


def test_a_hold_whose_time_has_run_out_is_not_paid_any_more():
    booking = make_hold(now=NOW)

    with pytest.raises(HoldExpired, match="Hold them again"):
        make_deposit_attempt(booking=booking, now=IN_HALF_AN_HOUR)


def test_a_stay_that_ended_and_owes_nothing_is_completed():
    booking = make_confirmed_booking(now=NOW)
    services.settle_booking(booking=booking, now=NOW)

    assert services.complete_departed(now=booking.departure_at - timedelta(seconds=1)) == 0
    assert services.complete_departed(now=booking.departure_at) == 1

    booking.refresh_from_db()
    assert booking.status == BookingStatus.COMPLETED


def test_a_stay_that_ended_and_still_owes_money_stays_collectable():
    booking = make_confirmed_booking(now=NOW)

    assert services.complete_departed(now=booking.departure_at + timedelta(days=30)) == 0

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_a_stay_moves_to_other_nights_at_the_agreed_price():
    booking = make_confirmed_booking(now=NOW, check_in=date(2026, 12, 1), nights=4)
    home = booking.home
    home.nightly_rate_minor *= 2
    home.save()

    quote = date_changes.change_nights(
        booking=services.lock_booking(booking.pk),
        check_in=date(2026, 12, 2),
        check_out=date(2026, 12, 5),
        now=NOW,
    )

    booking.refresh_from_db()
    assert booking.quote == quote
    assert quote.nightly_rate_minor == 150_000
    assert booking.arrival_at == datetime(2026, 12, 2, 21, tzinfo=UTC)
    assert booking.night_blocks.get(active=True).nights == quote.nights
    assert booking.changes.get().old_quote.check_in == date(2026, 12, 1)


def test_a_stay_does_not_move_onto_somebody_elses_nights():
    home = make_property()
    booking = make_confirmed_booking(now=NOW, home=home, check_in=date(2026, 12, 1), nights=4)
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 10))

    with pytest.raises(StayUnavailable):
        date_changes.change_nights(
            booking=services.lock_booking(booking.pk),
            check_in=date(2026, 12, 9),
            check_out=date(2026, 12, 12),
            now=NOW,
        )

    assert booking.night_blocks.get(active=True).nights == booking.quote.nights


def test_nights_already_slept_are_not_moved():
    booking = make_confirmed_booking(now=NOW, check_in=date(2026, 11, 10), nights=5)

    with pytest.raises(SleptNightsMoved):
        date_changes.change_nights(
            booking=services.lock_booking(booking.pk),
            check_in=date(2026, 11, 13),
            check_out=date(2026, 11, 16),
            now=NOW + timedelta(days=10),
        )


def test_a_stay_that_has_begun_may_end_earlier_or_later():
    booking = make_confirmed_booking(now=NOW, check_in=date(2026, 11, 10), nights=5)

    quote = date_changes.change_nights(
        booking=services.lock_booking(booking.pk),
        check_in=date(2026, 11, 10),
        check_out=date(2026, 11, 13),
        now=NOW + timedelta(days=10),
    )

    assert quote.night_count == 3


def test_a_hold_is_not_moved():
    booking = make_hold(now=NOW)

    with pytest.raises(NotConfirmed):
        date_changes.change_nights(
            booking=booking, check_in=date(2026, 12, 1), check_out=date(2026, 12, 4), now=NOW
        )


def test_the_calendar_closes_held_nights_and_opens_lapsed_ones():
    home = make_property()
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 1), nights=2)
    first, last = date(2026, 11, 30), date(2026, 12, 31)

    held = queries.closed_nights(home=home, first=first, last=last, now=NOW)
    lapsed = queries.closed_nights(home=home, first=first, last=last, now=IN_HALF_AN_HOUR)

    assert held == {date(2026, 12, 1), date(2026, 12, 2)}
    assert lapsed == set()


def test_a_booking_that_moves_is_in_its_own_way_but_nobody_elses_nights_are_free():
    booking = make_hold(now=NOW, check_in=date(2026, 12, 1), nights=2)
    home, first, last = booking.home, date(2026, 11, 30), date(2026, 12, 31)
    make_hold(now=NOW, home=home, check_in=date(2026, 12, 3), nights=2)
    close_nights(home=home, first=date(2026, 12, 5), until=date(2026, 12, 6), note="works", now=NOW)

    closed = queries.why_closed(home=home, first=first, last=last, now=NOW, apart_from=booking)

    assert closed == {
        date(2026, 12, 3): "stay",
        date(2026, 12, 4): "stay",
        date(2026, 12, 5): "manual",
    }


def test_the_guests_link_opens_their_booking_and_no_other():
    booking, other = make_hold(now=NOW), make_hold(now=NOW)

    assert queries.find_booking(booking.access_token) == booking
    assert queries.find_booking(other.access_token) == other
    assert booking.public_id.hex not in other.access_token
