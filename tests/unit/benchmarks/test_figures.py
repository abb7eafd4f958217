"""The arithmetic of the benchmark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Better, Figure, Ratio, Sample, figures_in, median_of, percentile, ratio_of

SPEED = Figure(label="speed", unit="jobs/s", better=Better.HIGHER)
LATENCY = Figure(label="latency", unit="ms", better=Better.LOWER)


def make_samples(figure: Figure, peer: str, *values: float) -> list[Sample]:
    return [
        Sample(figure=figure, peer=peer, round_number=number, value=value)
        for number, value in enumerate(values)
    ]


def test_a_percentile_is_a_value_that_was_read():
    assert percentile([30, 10, 20], 50) == 20
    assert percentile(range(1, 101), 99) == 99
    assert percentile([7], 99) == 7


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(min_value=0.1, max_value=100))
def test_at_least_so_many_percent_of_the_values_do_not_exceed_a_percentile(
    values: list[float], percent: float
):
    found = percentile(values, percent)

    assert sum(value <= found for value in values) >= len(values) * percent / 100
    assert sum(value < found for value in values) < len(values) * percent / 100


def test_nothing_has_no_percentile():
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_the_median_is_that_of_one_peer_and_one_figure():
    samples = [
        *make_samples(SPEED, "ours", 1, 3, 100),
        *make_samples(SPEED, "theirs", 7),
        *make_samples(LATENCY, "ours", 9),
    ]

    assert median_of(samples, figure=SPEED, peer="ours") == 3
    assert median_of(samples, figure=SPEED, peer="nobody") is None


def test_a_ratio_says_how_many_times_better_and_how_it_was_in_the_worst_round():
    samples = [*make_samples(SPEED, "ours", 100, 90, 30), *make_samples(SPEED, "theirs", 10, 10, 10)]

    assert ratio_of(samples, figure=SPEED, peer="ours", to="theirs") == Ratio(median=9, worst=3)


def test_where_less_is_better_the_ratio_is_turned_around():
    samples = [*make_samples(LATENCY, "ours", 2), *make_samples(LATENCY, "theirs", 10)]

    assert ratio_of(samples, figure=LATENCY, peer="ours", to="theirs") == Ratio(median=5, worst=5)


def test_only_readings_of_the_same_round_are_compared():
    samples = [*make_samples(SPEED, "ours", 100, 50), *make_samples(SPEED, "theirs", 10)]

    assert ratio_of(samples, figure=SPEED, peer="ours", to="theirs") == Ratio(median=10, worst=10)


@pytest.mark.parametrize("theirs", [[], [0]])
def test_there_is_no_ratio_to_nothing(theirs: list[float]):
    samples = [*make_samples(SPEED, "ours", 100), *make_samples(SPEED, "theirs", *theirs)]

    assert ratio_of(samples, figure=SPEED, peer="ours", to="theirs") is None


def test_figures_keep_the_order_in_which_they_were_read():
    samples = [*make_samples(LATENCY, "ours", 1), *make_samples(SPEED, "ours", 1, 2)]

    assert figures_in(samples) == [LATENCY, SPEED]
