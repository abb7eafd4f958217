"""Ticks every so many seconds: the same for every process, however long ago it looked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procrastinate_tasks.schedule.interval import Interval, find_interval

INSTANTS = st.datetimes(datetime(1999, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SPANS = st.timedeltas(timedelta(seconds=1), timedelta(days=366))


@given(instant=INSTANTS, span=SPANS)
def test_the_next_tick_is_the_same_whoever_asks(instant: datetime, span: timedelta):
    interval = Interval(span)
    tick = interval.next_after(instant)

    assert instant < tick <= instant + span
    assert interval.next_after(tick - timedelta(microseconds=1)) == tick
    assert interval.next_after(tick) == tick + span


@given(after=INSTANTS, span=SPANS, count=st.integers(0, 50), at_most=st.integers(1, 20))
def test_ticks_between_are_the_latest_of_those_one_after_another(
    after: datetime, span: timedelta, count: int, at_most: int
):
    interval = Interval(span)
    ticks = [interval.next_after(after)]
    while len(ticks) < count + 1:
        ticks.append(interval.next_after(ticks[-1]))

    found, are_all = interval.ticks_between(after, ticks[count] - timedelta(microseconds=1), at_most=at_most)

    assert found == ticks[:count][-at_most:]
    assert are_all == (count <= at_most)


@given(span=SPANS)
def test_its_expression_names_it(span: timedelta):
    assert find_interval(Interval(span).expression) == Interval(span)


def test_a_cron_expression_names_none():
    assert find_interval("*/5 * * * *") is None


@pytest.mark.parametrize("span", [timedelta(0), timedelta(seconds=0.999), timedelta(days=367)])
def test_too_short_and_too_long_are_refused(span: timedelta):
    with pytest.raises(ValueError, match="a second at least"):
        Interval(span)


def test_a_decade_is_counted_in_no_time():
    found, are_all = Interval(timedelta(seconds=1)).ticks_between(
        datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC), at_most=100
    )

    assert (len(found), are_all) == (100, False)
