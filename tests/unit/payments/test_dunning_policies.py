"""When a card that said no is asked again: by what the bank said, and by the calendar of wages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments import policies
from payments.dunning_policies import MOST_STEPS, STEPS, DeclineClass, classify, next_payday, next_try

MEXICO = ZoneInfo("America/Mexico_City")
CANCUN = ZoneInfo("America/Cancun")


@pytest.mark.parametrize(
    ("code", "advice", "expected"),
    [
        ("insufficient_funds", "try_again_later", DeclineClass.SOFT),
        ("insufficient_funds", "", DeclineClass.SOFT),
        ("issuer_not_available", "", DeclineClass.SOFT),
        ("processing_error", "try_again_later", DeclineClass.SOFT),
        ("do_not_honor", "", DeclineClass.SOFT),
        ("a_code_of_next_year", "", DeclineClass.SOFT),
        ("a_code_of_next_year", "advice_of_next_year", DeclineClass.SOFT),
        ("lost_card", "", DeclineClass.HARD),
        ("stolen_card", "try_again_later", DeclineClass.HARD),
        ("fraudulent", "", DeclineClass.HARD),
        ("generic_decline", "do_not_try_again", DeclineClass.HARD),
        ("expired_card", "do_not_try_again", DeclineClass.HARD),
        ("expired_card", "", DeclineClass.DATA),
        ("incorrect_cvc", "confirm_card_data", DeclineClass.DATA),
        ("generic_decline", "confirm_card_data", DeclineClass.DATA),
        (policies.AUTHENTICATION_REQUIRED, "", DeclineClass.DATA),
        (policies.MISSING_METHOD, "", DeclineClass.DATA),
        (policies.REJECTED, "", DeclineClass.HARD),
    ],
)
def test_a_decline_is_classed_by_its_code_and_the_banks_advice(code, advice, expected):
    assert classify(code=code, advice=advice) == expected


@pytest.mark.parametrize("decline_class", [DeclineClass.HARD, DeclineClass.DATA])
@pytest.mark.parametrize("step", range(1, MOST_STEPS + 1))
def test_nothing_but_a_soft_decline_is_tried_again(decline_class, step):
    now = datetime(2026, 11, 2, 18, tzinfo=UTC)

    assert next_try(decline_class=decline_class, step=step, declined_at=now, timezone=MEXICO) is None


def test_the_steps_are_those_of_the_house_and_they_end():
    at = datetime(2026, 11, 2, 18, tzinfo=UTC)
    gaps = []
    for step in range(1, MOST_STEPS + 1):
        following = next_try(decline_class=DeclineClass.SOFT, step=step, declined_at=at, timezone=MEXICO)
        if following is None:
            break
        gaps.append(following - at)
        at = following

    assert gaps[:3] == [timedelta(hours=6), timedelta(hours=24), timedelta(days=3)]
    assert gaps[3] == datetime(2026, 11, 15, 18, tzinfo=UTC) - datetime(2026, 11, 7, 0, tzinfo=UTC)
    assert gaps[4:] == [timedelta(days=7), timedelta(days=14)]
    assert len(gaps) + 1 <= MOST_STEPS


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-31T11:59", "2026-01-31T12:00"),
        ("2026-01-31T12:00", "2026-02-15T12:00"),
        ("2026-02-16T09:00", "2026-02-28T12:00"),
        ("2028-02-16T09:00", "2028-02-29T12:00"),
        ("2026-02-28T13:00", "2026-03-15T12:00"),
        ("2026-04-30T12:01", "2026-05-15T12:00"),
        ("2026-12-31T18:00", "2027-01-15T12:00"),
        ("2026-12-16T00:00", "2026-12-31T12:00"),
    ],
)
def test_paydays_are_the_fifteenth_and_the_last_day_across_the_ends_of_months(after, expected):
    local = datetime.fromisoformat(after).replace(tzinfo=MEXICO)

    assert next_payday(after=local, timezone=MEXICO) == datetime.fromisoformat(expected).replace(
        tzinfo=MEXICO
    )


def test_the_date_of_a_payday_is_that_of_the_house_and_not_of_greenwich():
    night = datetime(2026, 12, 1, 4, 30, tzinfo=UTC)  # 22:30 of November 30th in Mexico City.
    before_noon = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)  # 11:30 in Mexico City, 12:30 in Cancún.

    assert next_payday(after=night, timezone=MEXICO) == datetime(2026, 12, 15, 18, tzinfo=UTC)
    assert next_payday(after=before_noon, timezone=MEXICO) == datetime(2026, 11, 30, 18, tzinfo=UTC)
    assert next_payday(after=before_noon, timezone=CANCUN) == datetime(2026, 12, 15, 17, tzinfo=UTC)


@given(
    hours=st.integers(0, 16 * 366 * 24),
    step=st.integers(1, MOST_STEPS + 3),
    timezone=st.sampled_from([MEXICO, CANCUN, ZoneInfo("America/Tijuana")]),
)
def test_a_next_try_is_hours_away_and_never_more_than_weeks(hours, step, timezone):
    declined_at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    following = next_try(
        decline_class=DeclineClass.SOFT, step=step, declined_at=declined_at, timezone=timezone
    )

    assert (following is None) == (step > len(STEPS))
    if following is not None:
        assert timedelta(hours=6) <= following - declined_at <= timedelta(days=18)
