"""The house rules of a stay."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookings import policies
from bookings.policies import NightsProblem

MEXICO = ZoneInfo("America/Mexico_City")


@pytest.mark.parametrize(
    ("nights", "discount", "total"),
    [
        # 2 × 1,500 + 100 cleaning = 3,100 + 16 % = 3,596
        (2, 0, 359_600),
        (6, 0, 1_055_600),
        # 7 × 1,500 = 10,500 − 10 % = 9,450 + 100 = 9,550 + 16 % = 11,078
        (7, 105_000, 1_107_800),
        (29, 435_000, 4_553_000),
        # 30 × 1,500 = 45,000 − 20 % = 36,000 + 100 = 36,100 + 16 % = 41,876
        (30, 900_000, 4_187_600),
    ],
)
def test_a_stay_costs_its_nights_less_the_length_discount_plus_cleaning_and_tax(nights, discount, total):
    price = policies.price_stay(
        nights=nights, nightly_rate_minor=150_000, cleaning_fee_minor=10_000, tax_bps=1_600
    )

    assert price.discount_minor == discount
    assert price.total_minor == total


@pytest.mark.parametrize(
    ("amount", "bps", "share"), [(1, 5_000, 1), (3, 5_000, 2), (333, 3_000, 100), (0, 1_600, 0)]
)
def test_shares_are_rounded_half_up_to_the_centavo(amount, bps, share):
    assert policies.share_half_up(amount, bps) == share


@given(
    nights=st.integers(2, 365),
    rate=st.integers(1, 10_000_000),
    cleaning=st.integers(0, 1_000_000),
    tax_bps=st.integers(0, 10_000),
)
def test_deposit_and_balance_always_add_up_to_the_total(nights, rate, cleaning, tax_bps):
    price = policies.price_stay(
        nights=nights, nightly_rate_minor=rate, cleaning_fee_minor=cleaning, tax_bps=tax_bps
    )

    assert price.deposit_minor + price.balance_minor == price.total_minor
    assert 0 <= price.deposit_minor <= price.total_minor


def test_a_balance_is_due_48_hours_after_check_in_at_three_in_the_afternoon():
    instants = policies.stay_instants(
        check_in=date(2026, 12, 1), check_out=date(2026, 12, 5), timezone=MEXICO
    )

    assert instants.arrival_at == datetime(2026, 12, 1, 21, 0, tzinfo=UTC)
    assert instants.balance_due_at == datetime(2026, 12, 3, 21, 0, tzinfo=UTC)
    assert instants.departure_at == datetime(2026, 12, 5, 18, 0, tzinfo=UTC)


def test_48_hours_stay_48_hours_where_the_clocks_change():
    instants = policies.stay_instants(
        check_in=date(2026, 3, 7), check_out=date(2026, 3, 12), timezone=ZoneInfo("America/Tijuana")
    )

    assert instants.arrival_at.astimezone(UTC) == datetime(2026, 3, 7, 23, 0, tzinfo=UTC)
    assert instants.balance_due_at == datetime(2026, 3, 9, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("check_in", "check_out", "problem"),
    [
        (date(2026, 12, 5), date(2026, 12, 1), NightsProblem.REVERSED),
        (date(2026, 12, 5), date(2026, 12, 5), NightsProblem.REVERSED),
        (date(2026, 11, 30), date(2026, 12, 5), NightsProblem.PAST),
        (date(2026, 12, 1), date(2026, 12, 2), NightsProblem.TOO_FEW),
        (date(2026, 12, 1), date(2027, 12, 2), NightsProblem.TOO_MANY),
        (date(2028, 11, 20), date(2028, 12, 1), NightsProblem.TOO_FAR),
        (date(9999, 12, 28), date(9999, 12, 31), NightsProblem.TOO_FAR),
        (date(2028, 11, 20), date(2028, 11, 30), None),
        (date(2026, 12, 1), date(2026, 12, 3), None),
        (date(2026, 12, 1), date(2027, 12, 1), None),
    ],
)
def test_nights_break_a_rule_or_none(check_in, check_out, problem):
    found = policies.nights_problem(
        check_in=check_in, check_out=check_out, today=date(2026, 12, 1), min_nights=2, max_nights=365
    )

    assert found is problem


@pytest.mark.parametrize(
    ("today", "kept_minor"),
    [
        (date(2026, 12, 2), 0),  # eight days before
        (date(2026, 12, 3), 50_000),  # seven days before
        (date(2026, 12, 10), 50_000),  # on the day
        (date(2026, 12, 11), 100_000),  # after it, or no-show
    ],
)
def test_what_is_kept_of_a_cancelled_stay_depends_on_the_days_before_arrival(today, kept_minor):
    share = policies.cancellation_share_bps(check_in=date(2026, 12, 10), today=today)

    kept = policies.amount_kept_on_cancellation(total_minor=100_000, paid_minor=30_000, share_bps=share)

    assert kept == kept_minor


def test_a_late_cancellation_never_pays_back_more_than_it_must():
    kept = policies.amount_kept_on_cancellation(total_minor=100_000, paid_minor=80_000, share_bps=5_000)

    assert kept == 80_000


def test_moving_a_stay_later_to_cancel_it_for_free_does_not_pay():
    decides = policies.arrival_that_decides(
        check_in=date(2027, 1, 10), recent_check_ins=[date(2026, 12, 4), date(2026, 12, 20)]
    )

    assert decides == date(2026, 12, 4)


@pytest.mark.parametrize(
    ("check_in", "check_out", "moves"),
    [
        (date(2026, 12, 1), date(2026, 12, 6), False),  # the arrival stays, it ends later
        (date(2026, 12, 1), date(2026, 12, 3), False),  # it ends today
        (date(2026, 12, 1), date(2026, 12, 2), True),  # it would have ended yesterday
        (date(2026, 12, 4), date(2026, 12, 6), True),  # the arrival moves although nights were slept
    ],
)
def test_nights_already_slept_do_not_move(check_in, check_out, moves):
    assert moves is policies.moves_slept_nights(
        old_check_in=date(2026, 12, 1), check_in=check_in, check_out=check_out, today=date(2026, 12, 3)
    )
