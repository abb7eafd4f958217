"""Cron expressions in time zones, against an oracle and by example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest

from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone
from procrastinate_tasks.schedule.cron import Cron
from tests.unit.procrastinate_tasks.schedule.cron_oracle import SCHEDULES, Times, expected_ticks, transitions

SECOND = timedelta(seconds=1)
SAMPLE = [
    ("America/Mexico_City", 2021, 2023),
    ("America/Tijuana", 2026, 2026),
    ("America/New_York", 2026, 2026),
    ("Europe/Madrid", 2026, 2026),
    ("Australia/Lord_Howe", 2026, 2026),  # half an hour
    ("Pacific/Apia", 2011, 2012),  # a day that does not exist
    ("Africa/Casablanca", 2026, 2026),  # around Ramadan
    ("America/Caracas", 2007, 2007),  # half an hour back, for good
    ("Asia/Pyongyang", 2018, 2018),  # half an hour forth
    ("Antarctica/Troll", 2026, 2026),  # two hours
    ("America/Godthab", 2023, 2024),  # on the evening before
]


def check_around(transition: datetime, zone_name: str, times: Times, *, hours: int) -> None:
    """Compare with the oracle over a window around a transition."""
    start = transition - timedelta(hours=hours)
    end = transition + timedelta(hours=hours)

    ticks, complete = Cron(times.expression, zone_name).ticks_between(
        start - SECOND, end - SECOND, at_most=10_000
    )

    assert complete
    assert ticks == expected_ticks(times, ZoneInfo(zone_name), start, end), (zone_name, transition)


@pytest.mark.parametrize("times", SCHEDULES, ids=lambda times: times.expression)
@pytest.mark.parametrize(("zone_name", "first_year", "last_year"), SAMPLE)
def test_ticks_where_clocks_change_are_the_oracle_s(
    zone_name: str, first_year: int, last_year: int, times: Times
):
    changes = list(transitions(ZoneInfo(zone_name), first_year, last_year))

    assert changes
    for change in changes:
        # Times of the day come before and after the change; what follows real time has one rule all day.
        check_around(change, zone_name, times, hours=30 if times.fixed else 5)


@pytest.mark.slow
def test_ticks_at_every_change_of_every_zone_from_1990_to_2037_are_the_oracle_s():
    seen = set()
    for zone_name in sorted(available_timezones()):
        zone = ZoneInfo(zone_name)
        for change in transitions(zone, 1990, 2037):
            key = (
                change,
                (change - timedelta(minutes=1)).astimezone(zone).utcoffset(),
                change.astimezone(zone).utcoffset(),
            )
            if key not in seen:
                seen.add(key)
                for times in SCHEDULES:
                    check_around(change, zone_name, times, hours=5)
    assert len(seen) > 3000


def ticks(expression: str, zone_name: str, after: str, count: int) -> list[str]:
    cron = Cron(expression, zone_name)
    found = islice(cron.ticks_after(datetime.fromisoformat(after)), count)
    return [tick.astimezone(cron.zone).isoformat(timespec="seconds") for tick in found]


def test_three_in_the_morning_means_mexico_city_before_and_after_its_last_summer_time():
    assert ticks("0 3 * * *", "America/Mexico_City", "2022-10-29T12:00:00+00:00", 2) == [
        "2022-10-30T03:00:00-06:00",
        "2022-10-31T03:00:00-06:00",
    ]


def test_a_skipped_time_runs_at_the_first_moment_after_the_gap():
    assert ticks("30 2 * * *", "America/New_York", "2026-03-07T12:00:00+00:00", 2) == [
        "2026-03-08T03:00:00-04:00",
        "2026-03-09T02:30:00-04:00",
    ]


def test_several_skipped_times_run_together_once():
    assert ticks("0,20,40 2 * * *", "America/New_York", "2026-03-07T12:00:00+00:00", 2) == [
        "2026-03-08T03:00:00-04:00",
        "2026-03-09T02:00:00-04:00",
    ]


def test_a_repeated_time_runs_at_its_first_occurrence():
    assert ticks("30 1 * * *", "America/New_York", "2026-11-01T00:00:00+00:00", 2) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
    ]


def test_a_schedule_that_follows_real_time_runs_in_both_passes_of_a_repeated_hour():
    assert ticks("*/30 * * * *", "America/New_York", "2026-11-01T05:00:00+00:00", 4) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T01:00:00-05:00",
        "2026-11-01T01:30:00-05:00",
        "2026-11-01T02:00:00-05:00",
    ]


def test_a_tick_is_later_than_the_instant_even_by_a_fraction_of_a_second():
    assert ticks("* * * * * */30", "UTC", "2026-01-01T00:00:00.500000+00:00", 2) == [
        "2026-01-01T00:00:30+00:00",
        "2026-01-01T00:01:00+00:00",
    ]
    assert ticks("0 0 * * *", "UTC", "2026-01-01T00:00:00+00:00", 1) == ["2026-01-02T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 12 13 * FRI", "2026-01-02T12:00:00+00:00"),
        ("0 12 */13 * FRI", "2026-02-27T12:00:00+00:00"),
        ("0 12 L * *", "2026-01-31T12:00:00+00:00"),
        ("0 12 * * MON#2", "2026-01-12T12:00:00+00:00"),
        ("0 12 29 2 *", "2028-02-29T12:00:00+00:00"),
        ("0 12 * * 7", "2026-01-04T12:00:00+00:00"),
    ],
)
def test_day_fields(expression: str, first: str):
    assert ticks(expression, "UTC", "2026-01-01T00:00:00+00:00", 1) == [first]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("61 * * * *", "bad minute"),
        ("* * * *", "it has 4 fields"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("", "it has 0 fields"),
        ("every day", "it has 2 fields"),
        ("0 3 * * MOX", "bad day-of-week"),
    ],
)
def test_nonsense_is_refused_in_words(expression: str, problem: str):
    with pytest.raises(InvalidCron, match=problem):
        Cron(expression, "UTC")


@pytest.mark.parametrize("zone_name", ["Mars/Base", "", "../../etc/passwd"])
def test_an_unknown_zone_is_refused(zone_name: str):
    with pytest.raises(UnknownTimeZone):
        Cron("* * * * *", zone_name)


def test_only_the_latest_ticks_of_a_long_interval_are_computed():
    cron = Cron("* * * * * *", "America/Mexico_City")
    until = datetime(2026, 4, 1, tzinfo=UTC)

    found, complete = cron.ticks_between(datetime(2025, 1, 1, tzinfo=UTC), until, at_most=3)

    assert not complete
    assert found == [until - 2 * SECOND, until - SECOND, until]
