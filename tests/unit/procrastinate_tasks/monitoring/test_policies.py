"""When an alert is told, and when its end: every case of the decision."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from procrastinate_tasks.conf import AlertThresholds, find_threshold_problem
from procrastinate_tasks.monitoring.policies import AlertMemory, Silence, Step, decide_step

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LASTING = timedelta(seconds=5)
CALM_FOR = timedelta(seconds=60)


def seconds_ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def decide(memory: AlertMemory | None, *, is_seen: bool) -> Step:
    return decide_step(memory, is_seen=is_seen, now=NOW, lasting=LASTING, calm_for=CALM_FOR)


def fired(*, calm_since: datetime | None = None) -> AlertMemory:
    return AlertMemory(seen_at=seconds_ago(500), fired_at=seconds_ago(490), calm_since=calm_since)


@pytest.mark.parametrize(
    ("memory", "is_seen", "step"),
    [
        (None, False, Step.LEAVE),
        (None, True, Step.NOTICE),
        (AlertMemory(seen_at=seconds_ago(4.9)), True, Step.LEAVE),
        (AlertMemory(seen_at=seconds_ago(5)), True, Step.FIRE),
        (AlertMemory(seen_at=seconds_ago(4)), False, Step.FORGET),
        (fired(), True, Step.LEAVE),
        (fired(), False, Step.CALM),
        (fired(calm_since=seconds_ago(59)), False, Step.LEAVE),
        (fired(calm_since=seconds_ago(59)), True, Step.RELAPSE),
        (fired(calm_since=seconds_ago(60)), False, Step.RECOVER),
    ],
)
def test_a_fault_is_told_when_it_lasts_and_over_when_it_stays_away(
    memory: AlertMemory | None, is_seen: bool, step: Step
):
    assert decide(memory, is_seen=is_seen) is step


@pytest.mark.parametrize(
    ("silence", "measure", "step"),
    [
        (Silence(), None, Step.LEAVE),
        (Silence(until=NOW + CALM_FOR), None, Step.LEAVE),
        (Silence(until=NOW), None, Step.RETURN),
        (Silence(measure=10), 14.9, Step.LEAVE),
        (Silence(measure=10), 15, Step.RETURN),
        (Silence(measure=10), None, Step.LEAVE),
        (Silence(measure=0), 0, Step.LEAVE),
        (Silence(measure=0), 1, Step.RETURN),
        (Silence(until=NOW + CALM_FOR, measure=10), 15, Step.RETURN),
        (Silence(), 15, Step.LEAVE),
    ],
)
def test_a_silenced_fault_returns_when_it_is_much_worse_or_its_time_is_over(
    silence: Silence, measure: float | None, step: Step
):
    memory = AlertMemory(seen_at=seconds_ago(500), fired_at=seconds_ago(490), silence=silence)

    found = decide_step(memory, is_seen=True, now=NOW, lasting=LASTING, calm_for=CALM_FOR, measure=measure)

    assert found is step


def test_a_silenced_fault_that_is_not_seen_is_calm_whatever_its_time():
    memory = AlertMemory(seen_at=seconds_ago(500), fired_at=seconds_ago(490), silence=Silence(until=NOW))

    assert decide(memory, is_seen=False) is Step.CALM


def test_without_patience_a_fault_and_its_end_are_told_at_once():
    no_time = timedelta(0)

    assert decide_step(None, is_seen=True, now=NOW, lasting=no_time, calm_for=no_time) is Step.FIRE
    assert decide_step(fired(), is_seen=False, now=NOW, lasting=no_time, calm_for=no_time) is Step.RECOVER


@pytest.mark.parametrize(
    ("thresholds", "problem"),
    [
        (AlertThresholds(), ""),
        (AlertThresholds(queue_depth=None, memory_share=None), ""),
        (AlertThresholds(queue_depth=0), "queue_depth is 0, and must be more than zero"),
        (
            AlertThresholds(memory_share=80.0),
            "memory_share is 80.0: a share is at most 1, as 0.8 for 80 %",
        ),
        (AlertThresholds(schedule_overdue=30), "schedule_overdue is 30, and must be of another type"),  # type: ignore[arg-type]
    ],
)
def test_thresholds_that_make_no_sense_are_named(thresholds: AlertThresholds, problem: str):
    assert find_threshold_problem(thresholds) == problem
