"""The queue's decisions, without a queue."""

from __future__ import annotations

from asyncio import CancelledError
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procrastinate_tasks.jobs.policies import RetryRule, delay_before_retry
from procrastinate_tasks.schedule.policies import CatchUp, TickDecision, decide_ticks

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def delay(rule: RetryRule, *, retries_done: int, sample: float = 0.5, exception: BaseException | None = None):
    return delay_before_retry(
        rule, exception=exception or ValueError(), retries_done=retries_done, sample=sample
    )


def test_three_retries_thirty_seconds_apart_are_four_attempts():
    rule = RetryRule(max_retries=3, delay=timedelta(seconds=30))

    delays = [delay(rule, retries_done=n) for n in range(4)]

    assert delays == [timedelta(seconds=30)] * 3 + [None]


def test_only_the_named_exceptions_are_retried_and_give_up_on_wins():
    rule = RetryRule(max_retries=1, delay=MINUTE, on=(OSError,), give_up_on=(PermissionError,))

    assert delay(rule, retries_done=0, exception=TimeoutError()) == MINUTE
    assert delay(rule, retries_done=0, exception=PermissionError()) is None
    assert delay(rule, retries_done=0, exception=ValueError()) is None


def test_backoff_multiplies_and_max_delay_caps():
    rule = RetryRule(max_retries=9, delay=timedelta(seconds=10), backoff=3, max_delay=timedelta(seconds=60))

    seconds = [delay(rule, retries_done=n).total_seconds() for n in range(4)]

    assert seconds == [10, 30, 60, 60]


@pytest.mark.parametrize(("sample", "seconds"), [(0, 6), (0.5, 8), (1, 10)])
def test_jitter_spreads_a_delay_evenly_in_both_directions(sample: float, seconds: float):
    rule = RetryRule(max_retries=1, delay=timedelta(seconds=8), jitter=0.25)

    assert delay(rule, retries_done=0, sample=sample) == timedelta(seconds=seconds)


def test_a_rule_without_jitter_asks_no_dice():
    rule = RetryRule(max_retries=1, delay=MINUTE)

    assert [delay(rule, retries_done=0, sample=sample) for sample in (0, 0.9)] == [MINUTE, MINUTE]


@pytest.mark.parametrize(("on", "waited"), [((Exception,), MINUTE), ((OSError,), None)])
def test_a_cancellation_that_nobody_asked_for_counts_as_an_exception_and_as_no_other(
    on: tuple[type[BaseException], ...], waited: timedelta | None
):
    rule = RetryRule(max_retries=1, delay=MINUTE, on=on)

    assert delay(rule, retries_done=0, exception=CancelledError()) == waited


@pytest.mark.parametrize("retries_done", [100, 5000])  # one that a float can hold, and one that it cannot
@pytest.mark.parametrize(("max_delay_days", "waited_days"), [(None, 730), (1000, 1000), (10, 10)])
def test_a_backoff_that_grows_beyond_all_bounds_stops_at_two_years_or_at_the_rule_s_own_bound(
    retries_done: int, max_delay_days: int | None, waited_days: int
):
    max_delay = None if max_delay_days is None else timedelta(days=max_delay_days)
    rule = RetryRule(max_retries=10_000, delay=MINUTE, backoff=2, max_delay=max_delay)

    assert delay(rule, retries_done=retries_done) == timedelta(days=waited_days)


@given(sample=st.floats(0, 1, exclude_max=True), retries_done=st.integers(0, 5000))
def test_a_jittered_delay_stays_in_its_spread_and_never_overflows(sample: float, retries_done: int):
    rule = RetryRule(
        max_retries=10_000, delay=timedelta(seconds=10), backoff=2, jitter=0.25, max_delay=timedelta(hours=1)
    )

    waited = delay(rule, retries_done=retries_done, sample=sample).total_seconds()

    full = min(10 * 2 ** min(retries_done, 20), 7200)
    assert min(0.75 * full, 3600) <= waited <= min(1.25 * full, 3600)


def ticks(*minutes_ago: int) -> list[datetime]:
    return [NOW - minutes * MINUTE for minutes in minutes_ago]


@pytest.mark.parametrize(
    ("due", "catch_up", "deferred", "missed"),
    [
        ([], CatchUp.LAST, [], 0),
        ([1, 0], CatchUp.SKIP, [1, 0], 0),
        ([30, 20, 10], CatchUp.SKIP, [], 3),
        ([30, 20, 10], CatchUp.LAST, [10], 2),
        ([30, 20, 0], CatchUp.LAST, [0], 2),
        ([30, 20, 10], CatchUp.ALL, [20, 10], 1),
        ([30, 20, 10, 0], CatchUp.ALL, [20, 10, 0], 1),
    ],
)
def test_catching_up(due: list[int], catch_up: CatchUp, deferred: list[int], missed: int):
    decision = decide_ticks(ticks(*due), now=NOW, catch_up=catch_up, grace=MINUTE, limit=2)

    assert decision == TickDecision(defer=tuple(ticks(*deferred)), missed=missed)
