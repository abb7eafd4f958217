"""The calendar and the nearest free stays."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bookings.availability import (
    DayState,
    Nights,
    Stay,
    is_free,
    month_calendar,
    nearest_free_stays,
    next_month,
    previous_month,
)
from bookings.policies import HORIZON

TODAY = date(2026, 11, 2)
DECEMBER = date(2026, 12, 1)


def stay(first: date, nights: int = 3) -> Stay:
    return Stay(check_in=first, check_out=first + timedelta(days=nights), guests=2)


def states(first: date, closed: set[date], today: date = TODAY) -> dict[int, DayState]:
    month = month_calendar(first=first, nights=Nights(today=today, closed=closed), stay=None)
    return {cell.date.day: cell.state for week in month.weeks for cell in week if cell}


def test_a_month_begins_on_sunday_and_leaves_its_neighbours_out():
    month = month_calendar(first=DECEMBER, nights=Nights(today=TODAY, closed=set()), stay=None)

    first, last = month.weeks[0], month.weeks[-1]
    assert [cell and cell.date.day for cell in first] == [None, None, 1, 2, 3, 4, 5]
    assert [cell and cell.date.day for cell in last] == [27, 28, 29, 30, 31, None, None]


def test_the_first_closed_night_of_several_is_still_a_day_to_leave():
    closed = {date(2026, 12, 8), date(2026, 12, 9)}

    by_day = states(DECEMBER, closed)

    assert [by_day[day] for day in (7, 8, 9, 10)] == [
        DayState.FREE,
        DayState.DEPARTURE_ONLY,
        DayState.TAKEN,
        DayState.FREE,
    ]


def test_a_night_closed_on_the_last_day_of_the_month_before_counts():
    closed = {date(2026, 11, 30), DECEMBER}

    assert states(DECEMBER, closed)[1] == DayState.TAKEN


def test_days_before_today_are_past_and_nobody_leaves_today_who_is_not_there():
    by_day = states(date(2026, 11, 1), {TODAY})

    assert by_day[1] == DayState.PAST
    assert by_day[2] == DayState.TAKEN


def test_the_days_of_the_stay_are_marked_up_to_its_departure():
    month = month_calendar(
        first=DECEMBER, nights=Nights(today=TODAY, closed=set()), stay=stay(date(2026, 12, 10))
    )

    chosen = [cell.date.day for week in month.weeks for cell in week if cell and cell.chosen]
    assert chosen == [10, 11, 12, 13]


def test_the_nearest_stay_comes_first_and_none_overlap():
    closed = {date(2026, 12, 10), date(2026, 12, 11), date(2026, 12, 12)}

    found = nearest_free_stays(wanted=stay(date(2026, 12, 10)), closed=closed, today=TODAY)

    assert [each.check_in for each in found] == [
        date(2026, 12, 13),
        date(2026, 12, 7),
        date(2026, 12, 16),
    ]


def test_no_stay_is_suggested_in_the_past_or_beyond_the_horizon():
    everything_near = {TODAY + timedelta(days=offset) for offset in range(90)}
    last = TODAY + HORIZON

    assert nearest_free_stays(wanted=stay(TODAY), closed=everything_near, today=TODAY) == []
    beyond = nearest_free_stays(wanted=stay(last), closed={last}, today=TODAY)
    assert beyond
    assert all(each.check_out <= last for each in beyond)


@given(
    offset=st.integers(0, 700),
    nights=st.integers(1, 30),
    closed=st.sets(st.integers(0, 730).map(lambda day: TODAY + timedelta(days=day)), max_size=60),
)
def test_every_suggestion_is_free_as_long_and_apart_from_the_others(offset, nights, closed):
    wanted = stay(TODAY + timedelta(days=offset), nights)

    found = nearest_free_stays(wanted=wanted, closed=closed, today=TODAY)

    assert all(is_free(check_in=one.check_in, check_out=one.check_out, closed=closed) for one in found)
    assert all(one.night_count == nights and one.check_in >= TODAY for one in found)
    for index, one in enumerate(found):
        assert all(abs((one.check_in - other.check_in).days) >= nights for other in found[:index])


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)).map(lambda day: day.replace(day=1)))
def test_months_page_back_and_forth(first):
    assert previous_month(next_month(first)) == first
    assert next_month(first).day == 1


def test_a_day_says_why_nobody_arrives_or_stays():
    nights = Nights(
        today=TODAY,
        closed={date(2026, 12, 8), date(2026, 12, 9), date(2026, 12, 10)},
        shut={date(2026, 12, 10)},
        fewest=3,
    )

    month = month_calendar(first=DECEMBER, nights=nights, stay=None)
    by_day = {cell.date.day: cell.state for week in month.weeks for cell in week if cell}

    assert [by_day[day] for day in range(5, 12)] == [
        DayState.FREE,
        DayState.NO_ARRIVAL,
        DayState.NO_ARRIVAL,
        DayState.DEPARTURE_ONLY,
        DayState.TAKEN,
        DayState.SHUT,
        DayState.FREE,
    ]


def test_days_beyond_the_horizon_are_not_open_yet():
    last = TODAY + HORIZON

    month = month_calendar(first=last.replace(day=1), nights=Nights(today=TODAY, closed=()), stay=None)
    by_day = {cell.date: cell.state for week in month.weeks for cell in week if cell}

    assert (by_day[last], by_day[last + timedelta(days=1)]) == (DayState.FREE, DayState.TOO_FAR)
