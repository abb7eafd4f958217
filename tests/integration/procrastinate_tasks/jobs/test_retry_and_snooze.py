"""``raise Retry`` and ``raise Snooze``: a wait that the task chooses while it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.exceptions import Retry, Snooze
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.testing import DrainReport, drain_queue
from tests.integration.procrastinate_tasks.sample_tasks import CALLS

pytestmark = pytest.mark.django_db

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


def only_job() -> ProcrastinateJob:
    job: ProcrastinateJob = ProcrastinateJob.objects.get()
    return job


def report(**counts: int) -> DrainReport:
    nothing = {"succeeded": 0, "failed": 0, "retried": 0, "aborted": 0}
    return DrainReport(**{**nothing, **counts})


@freeze_time(NOW)
def test_a_task_says_itself_when_it_is_tried_again():
    defer("sample.ask_again", {"wait": 90})

    assert drain_queue() == report(retried=1)

    assert only_job().scheduled_at == NOW + timedelta(seconds=90)
    assert only_job().attempts == 1


def test_its_retries_say_how_often_and_then_it_fails():
    defer("sample.ask_again", {"wait": 0})

    assert drain_queue(with_scheduled=True) == report(retried=2, failed=1)
    assert len(CALLS) == 3


@pytest.mark.parametrize(("behind", "told"), [(True, "sample_tasks.Flaky"), (False, "exceptions.Retry")])
def test_the_error_behind_a_retry_is_what_is_recorded(behind: bool, told: str):
    defer("sample.ask_again", {"wait": 0, "behind": behind})

    drain_queue(with_scheduled=True)

    attempts = JobAttempt.objects.order_by("id")
    assert [attempt.exception_class.endswith(told) for attempt in attempts] == [True] * 3
    assert [attempt.outcome for attempt in attempts] == ["retrying", "retrying", "failed"]


def test_a_snooze_costs_no_attempt_and_is_no_failure():
    job_id = defer("sample.put_off", {"times": 2})
    assert job_id is not None

    assert drain_queue() == report(snoozed=1)
    assert why_not_running(job_id).cause == "scheduled"
    assert drain_queue(with_scheduled=True) == report(snoozed=1, succeeded=1)

    assert CALLS == [0, 0, 0]
    assert only_job().status == "succeeded"
    snoozed = JobAttempt.objects.filter(outcome="snoozed")
    assert [(each.message, each.exception_class) for each in snoozed] == [("the bank is closed", "")] * 2


@pytest.mark.parametrize("kind", [Retry, Snooze])
@pytest.mark.parametrize(
    "options",
    [
        {"in_": timedelta(1), "at": NOW},
        {"in_": timedelta(-1)},
        {"in_": timedelta(days=40_000)},
        {"at": datetime(2031, 5, 1)},  # noqa: DTZ001
        {"at": datetime.max.replace(tzinfo=UTC)},
    ],
)
def test_a_wait_that_makes_no_sense_is_refused_where_it_is_raised(kind: type, options: dict[str, object]):
    with pytest.raises(ValueError, match=kind.__name__):
        kind(**options)


def test_a_snooze_without_a_wait_is_refused():
    with pytest.raises(ValueError, match="Snooze needs in_ or at"):
        Snooze()
