"""The cancellation rule as dates and pesos."""

from __future__ import annotations

from datetime import date

from bookings.terms import cancellation_terms

ARRIVAL = date(2026, 12, 10)


def test_cancelling_is_free_until_the_eighth_day_before_arrival():
    terms = cancellation_terms(
        check_in=ARRIVAL, total_minor=1_000_00, paid_minor=300_00, today=date(2026, 11, 2)
    )

    assert terms.free_until == date(2026, 12, 2)
    assert terms.late_from == date(2026, 12, 3)
    assert terms.late_until == ARRIVAL


def test_the_last_free_day_is_still_free_and_the_next_is_not():
    on_it = cancellation_terms(check_in=ARRIVAL, total_minor=1, paid_minor=0, today=date(2026, 12, 2))
    after = cancellation_terms(check_in=ARRIVAL, total_minor=1, paid_minor=0, today=date(2026, 12, 3))

    assert on_it.free_until == date(2026, 12, 2)
    assert after.free_until is None
    assert after.late_from == date(2026, 12, 3)


def test_a_late_cancellation_costs_half_less_what_was_paid():
    deposit = cancellation_terms(check_in=ARRIVAL, total_minor=1_000_00, paid_minor=300_00, today=ARRIVAL)
    everything = cancellation_terms(
        check_in=ARRIVAL, total_minor=1_000_00, paid_minor=1_000_00, today=ARRIVAL
    )

    assert deposit.late_fee_minor == 200_00
    assert everything.late_fee_minor == 0
