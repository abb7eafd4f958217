"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation

from procrastinate_tasks.formatting import (
    age_in_words,
    bytes_in_words,
    count_in_words,
    duration_in_words,
    list_in_words,
    percentage_in_words,
)
from procrastinate_tasks.viewer import charts

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (999, "999"), (9_999, "9,999"), (10_000, "10,000"), (10_001, "10,000+")],
)
def test_a_count_that_was_cut_off_has_a_plus(count, words):
    assert count_in_words(count) == words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (None, "–"),
        (timedelta(0), "0 ms"),
        (timedelta(milliseconds=850), "850 ms"),
        (timedelta(seconds=1.234), "1.2 s"),
        (timedelta(seconds=42.4), "42 s"),
        (timedelta(seconds=59.8), "1 min"),
        (timedelta(minutes=3, seconds=5), "3 min 5 s"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
        (timedelta(seconds=5), "5 s"),
        (timedelta(seconds=9.98), "10 s"),
        (timedelta(seconds=-2.5), "−2.5 s"),
    ],
)
def test_a_duration_has_its_two_greatest_units(duration, words):
    assert duration_in_words(duration) == words


@pytest.mark.parametrize(
    ("at", "in_english", "in_spanish"),
    [
        (NOW - timedelta(seconds=30), "30 s ago", "hace 30 s"),
        (NOW - timedelta(minutes=59, seconds=59), "59 min ago", "hace 59 min"),
        (NOW - timedelta(days=3), "3 d ago", "hace 3 d"),
        (NOW + timedelta(minutes=5), "in 5 min", "en 5 min"),
    ],
)
def test_an_age_is_told_in_the_language_of_the_reader(at, in_english, in_spanish):
    with translation.override("en"):
        assert age_in_words(at, now=NOW) == in_english
    with translation.override("es-mx"):
        assert age_in_words(at, now=NOW) == in_spanish


def test_sizes_shares_and_lists():
    assert bytes_in_words(1_610_612_736) == "1,536 MB"
    assert (percentage_in_words(1, 3), percentage_in_words(1, 0)) == ("33 %", "0 %")
    with translation.override("es-mx"):
        assert list_in_words(["a", "b", "c"]) == "a, b y c"
    assert (list_in_words([]), list_in_words(["a"])) == ("", "a")


@pytest.mark.parametrize(
    ("greatest", "top"), [(0, 1), (1, 1), (3, 5), (6, 10), (11, 20), (0.03, 0.05), (1000, 1000)]
)
def test_the_top_of_a_scale_is_a_round_number(greatest, top):
    assert charts.nice_top(greatest) == pytest.approx(top)


def test_bars_stand_where_their_values_are_and_nothing_stands_for_none():
    drawing = charts.bars([0, 5, 10, 0], height=100)

    assert drawing.paths == ("M250 100V50h212.5V100zM500 100V0h212.5V100z",)


def test_a_line_breaks_where_nothing_is_known():
    drawing = charts.lines([[1, None, 2, 2]], height=100)

    assert drawing.paths == ("M0 50H250M500 0H750L750 0H1000",)


def test_the_hours_of_an_axis_stand_at_their_places():
    ticks = charts.hours_between(NOW - timedelta(hours=24), NOW, every=6)

    assert [tick.label for tick in ticks] == ["06:00", "12:00", "18:00", "00:00", "06:00"]
    assert ticks[0].x == "0.0%"
    assert ticks[-1].x == "100.0%"
