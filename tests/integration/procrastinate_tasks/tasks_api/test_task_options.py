"""``@task(max_attempts=…, backoff=…, timeout=…)`` of Django's Tasks, on this backend."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job

from procrastinate_tasks.jobs.claimed_job import ClaimedJob, HiddenArgumentsJob
from procrastinate_tasks.testing import drain_queue
from procrastinate_tasks.worker.options import JobLimits, WorkerOptions
from tests.django_tasks_api import InvalidTask, TaskResultDoesNotExist, TaskResultStatus, task, task_finished
from tests.integration.procrastinate_tasks import sample_django_tasks as tasks

pytestmark = pytest.mark.django_db


def assignment_of(job_id: str) -> ClaimedJob:
    """Return a job as a worker claims it."""
    job = ProcrastinateJob.objects.get(id=job_id)
    name, queue, args = job.task_name, job.queue_name, json.dumps(job.args)
    return ClaimedJob(job.id, name, queue, job.priority, None, None, args, None, 0, None, 0)


def test_a_task_is_tried_so_often_and_finishes_once():
    finished: list[Any] = []

    def listen(task_result: Any, **_: object) -> None:
        finished.append(task_result.status)

    task_finished.connect(listen)
    try:
        result = tasks.fail_thrice.enqueue()
        assert drain_queue().retried == 1
        result.refresh()
        assert (result.status, len(result.errors)) == (TaskResultStatus.READY, 1)
        report = drain_queue(with_scheduled=True)
    finally:
        task_finished.disconnect(listen)

    result.refresh()
    assert (report.retried, report.failed) == (1, 1)
    assert (result.status, result.attempts, len(result.errors)) == (TaskResultStatus.FAILED, 3, 3)
    assert finished == [TaskResultStatus.FAILED]


def test_each_wait_is_twice_the_last():
    tasks.fail_thrice.enqueue()

    drain_queue()
    first = ProcrastinateJob.objects.get()
    drain_queue(with_scheduled=True)

    declared: Any = tasks.fail_thrice
    retries = declared.retries
    assert (retries.delay, retries.backoff, retries.max_retries) == (timedelta(seconds=30), 2.0, 2)
    assert first.scheduled_at is not None


def test_a_retry_that_the_task_asks_for_counts_too_and_a_snooze_does_not():
    asked, put_off = tasks.ask_again_async.enqueue(), tasks.put_off_once.enqueue(1)

    drain_queue(with_scheduled=True)

    asked.refresh()
    put_off.refresh()
    assert (asked.status, asked.attempts) == (TaskResultStatus.FAILED, 2)
    assert put_off.status == TaskResultStatus.SUCCESSFUL
    assert ProcrastinateJob.objects.get(id=put_off.id).attempts == 1


def test_a_timeout_travels_with_its_job_and_is_its_limit():
    result = tasks.patient.enqueue()
    limits = JobLimits(WorkerOptions())

    own = limits.of(assignment_of(result.id))

    assert (own.soft, own.hard) == (5.0, 15.0)
    other = tasks.add.enqueue(1)
    assert limits.of(assignment_of(other.id)).soft == 540.0
    drain_queue()
    result.refresh()
    assert result.return_value == "done"


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": "3"},
        {"max_attempts": True},
        {"backoff": -1},
        {"backoff": "soon"},
        {"timeout": 0},
        {"timeout": float("inf")},
    ],
)
def test_an_option_that_makes_no_sense_is_refused_where_it_is_declared(options: dict[str, Any]):
    with pytest.raises(InvalidTask, match=next(iter(options))):
        task(**options)(tasks.add.func)


def test_using_keeps_the_options():
    used: Any = tasks.fail_thrice.using(priority=3)

    assert (used.priority, used.max_attempts) == (3, 3)


def test_what_is_no_id_names_no_result():
    for id_ in (123, None, "", "²", "9" * 5000, "-1"):
        with pytest.raises(TaskResultDoesNotExist):
            tasks.add.get_result(id_)  # type: ignore[arg-type]


def test_a_failed_task_s_log_line_has_no_traceback_of_nothing(caplog: pytest.LogCaptureFixture):
    tasks.fail.enqueue("x")
    drain_queue()

    lines = [record for record in caplog.records if record.name.startswith(("django_tasks", "django.tasks"))]
    assert [record for record in lines if record.levelno == logging.ERROR]
    assert "NoneType" not in "".join(logging.Formatter().format(record) for record in lines)


def test_a_job_in_a_worker_equals_the_job_it_is():
    fields: dict[str, Any] = {
        "id": 1,
        "queue": "q",
        "lock": None,
        "queueing_lock": None,
        "task_name": "t",
        "task_kwargs": {"a": 1},
    }

    assert HiddenArgumentsJob(**fields) == Job(**fields)
    assert Job(**fields) == HiddenArgumentsJob(**fields)
    assert HiddenArgumentsJob(**fields) != Job(**{**fields, "id": 2})
    assert HiddenArgumentsJob(**fields) != 1
