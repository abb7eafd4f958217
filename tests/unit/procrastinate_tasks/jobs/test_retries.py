"""``Retries`` as Procrastinate asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from procrastinate.jobs import Job
from procrastinate.retry import RetryDecision

from procrastinate_tasks.exceptions import UnusableRetry
from procrastinate_tasks.jobs.retries import Retries, check_decision


def a_job(*, attempts: int) -> Job:
    return Job(id=1, queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempts)


@freeze_time("2026-05-01 12:00:00")
def test_a_retry_is_due_after_the_delay():
    retries = Retries(max_retries=1, delay=timedelta(seconds=30))

    decision = retries.get_retry_decision(exception=ValueError(), job=a_job(attempts=0))

    assert decision is not None
    assert decision.retry_at == datetime(2026, 5, 1, 12, 0, 30, tzinfo=UTC)


def test_the_last_attempt_is_final():
    retries = Retries(max_retries=1, delay=timedelta(seconds=30))

    assert retries.get_retry_decision(exception=ValueError(), job=a_job(attempts=1)) is None


def test_a_cancellation_is_not_a_fault():
    retries = Retries(max_retries=1, delay=timedelta(seconds=30))

    assert retries.get_retry_decision(exception=KeyboardInterrupt(), job=a_job(attempts=0)) is None


@pytest.mark.parametrize(
    "wrong", [{"max_retries": -1}, {"backoff": 0.5}, {"jitter": 2}, {"delay": timedelta(-1)}]
)
def test_a_nonsense_rule_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match="Retries needs"):
        Retries(**{"max_retries": 1, "delay": timedelta(1), **wrong})


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"retry_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"priority": 2**31 - 1},
        {"priority": -(2**31) + 1},
        {"queue": "q" * 40},
        {"lock": ""},
        {"lock": "ñ\n" * 500},
    ],
)
def test_an_answer_that_a_row_can_hold_is_taken(answer: dict[str, Any]):
    decision = RetryDecision(**answer)

    assert check_decision(decision) is decision


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("retry_at", "tomorrow"),
        ("retry_at", datetime(2026, 1, 1)),  # noqa: DTZ001 - the very fault that is tested
        ("retry_at", datetime.min.replace(tzinfo=UTC)),
        ("retry_at", datetime.max.replace(tzinfo=UTC)),
        ("priority", 2**31),
        ("priority", -(2**31)),
        ("priority", 1.5),
        ("priority", True),
        ("queue", ""),
        ("queue", "q" * 41),
        ("queue", "ñ" * 21),
        ("queue", 7),
        ("lock", "a\x00b"),
        ("lock", "\ud800"),
        ("lock", "x" * 2001),
        ("lock", object()),
    ],
)
def test_an_answer_that_no_row_can_hold_is_refused_in_words_that_name_the_field_alone(
    field: str, value: object
):
    answer: dict[str, Any] = {field: value}

    with pytest.raises(UnusableRetry, match=f"its {field} must be") as refusal:
        check_decision(RetryDecision(**answer))

    assert str(value) not in str(refusal.value) or value == ""
