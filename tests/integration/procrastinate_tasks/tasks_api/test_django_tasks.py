"""Django's Tasks API on this queue, as its documentation promises it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import connection, transaction
from django.dispatch import Signal
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.exceptions import InvalidTaskArguments, JobDoesNotFit
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.tasks_api.backend import ProcrastinateBackend
from procrastinate_tasks.testing import drain_queue
from tests.django_tasks_api import (
    InvalidTask,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultMismatch,
    TaskResultStatus,
    default_task_backend,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from tests.integration.procrastinate_tasks import sample_django_tasks as tasks

pytestmark = pytest.mark.django_db

BACKEND = "procrastinate_tasks.tasks_api.backend.ProcrastinateBackend"


# --- Enqueueing -------------------------------------------------------------------------------------------


def test_an_enqueued_task_is_ready_and_knows_what_it_was_given():
    before = timezone.now()

    result = tasks.add.enqueue(1, b=2)

    assert result.status == TaskResultStatus.READY
    assert (result.args, result.kwargs, result.backend) == ([1], {"b": 2}, "default")
    assert (result.started_at, result.last_attempted_at, result.finished_at) == (None, None, None)
    assert (result.errors, result.worker_ids, result.attempts) == ([], [], 0)
    assert result.enqueued_at is not None
    assert before <= result.enqueued_at <= timezone.now()
    assert not result.is_finished
    with pytest.raises(ValueError, match="not finished"):
        _ = result.return_value


def test_enqueueing_and_reading_a_result_take_one_statement_each():
    with CaptureQueriesContext(connection) as enqueueing:
        result = tasks.add.enqueue(1)
    with CaptureQueriesContext(connection) as reading:
        tasks.add.get_result(result.id)

    assert (len(enqueueing), len(reading)) == (1, 1)


def test_what_is_read_equals_what_enqueueing_returned():
    result = tasks.echo.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1, ("a", 2), key=None)

    assert tasks.echo.get_result(result.id) == result


def test_the_job_has_the_task_s_queue_priority_and_time():
    tomorrow = timezone.now() + timedelta(days=1)

    tasks.echo.using(run_after=tomorrow).enqueue()
    tasks.echo.using(priority=-100).enqueue()

    jobs = ProcrastinateJob.objects.order_by("id").values_list("queue_name", "priority", "scheduled_at")
    assert list(jobs) == [("mail", 7, tomorrow), ("mail", -100, None)]


def test_a_task_rolled_back_was_never_enqueued():
    with pytest.raises(tasks.Unlucky), transaction.atomic():
        result = tasks.save_group.enqueue("never")
        raise tasks.Unlucky

    assert drain_queue().succeeded == 0
    with pytest.raises(TaskResultDoesNotExist):
        tasks.save_group.get_result(result.id)


def test_enqueueing_from_asynchronous_code_makes_the_same_job():
    async def enqueue_and_read() -> tuple[TaskResult[int], TaskResult[int]]:
        result = await tasks.add.aenqueue(2, b=3)
        return result, await tasks.add.aget_result(result.id)

    enqueued, read = async_to_sync(enqueue_and_read)()

    assert enqueued == read
    drain_queue()
    async_to_sync(enqueued.arefresh)()
    assert enqueued.return_value == 5


@pytest.mark.parametrize("argument", [object(), {1, 2}, datetime(2026, 1, 1), b"\xff"])  # noqa: DTZ001
def test_an_argument_that_json_cannot_hold_is_refused(argument: object):
    with pytest.raises((TypeError, ValueError), match="Unsupported"):
        tasks.echo.enqueue(argument)

    assert not ProcrastinateJob.objects.exists()


@pytest.mark.parametrize("argument", [float("nan"), "NUL \x00"])
def test_an_argument_that_postgres_cannot_hold_is_refused(argument: object):
    with pytest.raises(InvalidTaskArguments):
        tasks.echo.enqueue(argument)

    assert not ProcrastinateJob.objects.exists()


def test_a_queue_that_the_backend_does_not_have_is_refused():
    with pytest.raises(InvalidTask, match="unknown"):
        tasks.add.using(queue_name="unknown")


def test_without_a_list_of_queues_any_is_taken_unless_its_name_does_not_fit():
    tasks.add.using(backend="other", queue_name="unknown").enqueue(1)

    assert ProcrastinateJob.objects.get().queue_name == "unknown"
    with pytest.raises(InvalidTask, match="40 at most"):
        tasks.add.using(backend="other", queue_name="q" * 129)


@pytest.mark.parametrize("priority", [-101, 101, 1.5])
def test_a_priority_outside_the_range_is_refused(priority: Any):
    with pytest.raises(InvalidTask, match="priority"):
        tasks.add.using(priority=priority)


def test_a_naive_run_after_is_refused():
    with pytest.raises(InvalidTask, match="aware"):
        tasks.add.using(run_after=datetime(2030, 1, 1))  # noqa: DTZ001


def test_a_task_that_no_worker_could_import_is_refused():
    with pytest.raises(InvalidTask, match=r"sample_django_tasks\.not_a_task"):
        tasks.renamed.enqueue()


def test_the_backend_supports_what_the_api_offers():
    backend = default_task_backend

    assert backend.supports_defer
    assert backend.supports_async_task
    assert backend.supports_get_result
    assert backend.supports_priority


# --- Running, and results ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [tasks.add, tasks.add_async])
def test_a_task_that_ran_is_successful_and_has_its_value(task: Any):
    result = task.enqueue(1, b=2)

    assert drain_queue().succeeded == 1
    result.refresh()

    assert (result.status, result.return_value, result.is_finished) == (TaskResultStatus.SUCCESSFUL, 3, True)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result.last_attempted_at == result.started_at
    assert result.attempts == len(result.worker_ids) == 1
    assert result.errors == []


def test_arguments_and_values_travel_as_json():
    result = tasks.echo.enqueue(1, ("a", None), key={"nested": (True, 1.5)}, args="own", backend="own")

    drain_queue()
    result.refresh()

    assert result.return_value == {
        "args": [1, ["a", None]],
        "kwargs": {"key": {"nested": [True, 1.5]}, "args": "own", "backend": "own"},
    }


def test_a_task_that_raised_has_failed_and_its_traceback_hides_the_arguments():
    result = tasks.fail.enqueue("4929-secret")

    assert drain_queue().failed == 1
    result.refresh()

    assert (result.status, result.is_finished, result.attempts) == (TaskResultStatus.FAILED, True, 1)
    assert result.finished_at is not None
    (error,) = result.errors
    assert error.exception_class is tasks.Unlucky
    assert "Unlucky: no [args]" in error.traceback
    assert "in fail" in error.traceback
    assert "4929-secret" not in error.traceback
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_an_asynchronous_task_that_raised_has_failed():
    result = tasks.fail_async.enqueue()

    drain_queue()
    result.refresh()

    assert result.status == TaskResultStatus.FAILED
    assert [error.exception_class for error in result.errors] == [tasks.Unlucky]


def test_arguments_that_do_not_fit_the_function_fail_the_task():
    result = tasks.add.enqueue(1, 2, 3)  # type: ignore[call-arg]

    drain_queue()
    result.refresh()

    assert [error.exception_class for error in result.errors] == [JobDoesNotFit]


def test_a_value_that_json_cannot_hold_fails_the_task():
    result = tasks.return_something_else.enqueue()

    drain_queue()
    result.refresh()

    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is TypeError


def test_a_task_with_context_sees_its_running_result():
    result = tasks.describe_context.enqueue("!")
    other: TaskResult[Any] = tasks.describe_context_async.enqueue()

    assert drain_queue().succeeded == 2
    result.refresh()
    other.refresh()

    assert result.return_value == f"RUNNING attempt=1 id={result.id}!"
    assert other.return_value == "RUNNING attempt=1"


def test_a_task_that_lost_its_worker_shows_both_runs_and_the_loss():
    result = tasks.add.enqueue(1)
    JobAttempt.objects.create(
        job_id=int(result.id),
        attempt=1,
        task_name="procrastinate_tasks.run_django_task",
        queue_name="default",
        worker_id=41,
        host="there",
        started_at=timezone.now(),
        finished_at=timezone.now(),
        outcome="crashed",
        exception_class="procrastinate_tasks.exceptions.WorkerLost",
    )

    drain_queue()
    result.refresh()

    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 1, 2)
    assert result.worker_ids[0] == "41"
    assert [error.exception_class.__name__ for error in result.errors] == ["WorkerLost"]
    assert result.started_at < result.last_attempted_at  # type: ignore[operator]


def test_a_cancelled_task_has_failed_without_an_error():
    result = tasks.add.enqueue(1)
    app.job_manager.cancel_job_by_id(int(result.id))

    result.refresh()

    assert (result.status, result.errors, result.attempts) == (TaskResultStatus.FAILED, [], 0)
    assert result.finished_at is not None


def test_run_after_keeps_a_task_waiting():
    result = tasks.add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1)

    assert drain_queue().succeeded == 0
    assert drain_queue(with_scheduled=True).succeeded == 1
    result.refresh()
    assert result.return_value == 1


def test_tasks_run_by_priority():
    order = [tasks.add.using(priority=priority).enqueue(1) for priority in (-5, 0, 100)]

    drain_queue()
    for result in order:
        result.refresh()

    started = [result.started_at for result in order]
    assert started == sorted(started, reverse=True)  # type: ignore[type-var]


# --- Reading results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("result_id", ["", "x", "-1", "1.5", "٣", "123456789", "9" * 30])
def test_an_id_that_no_task_has_is_told(result_id: str):
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result_id)


def test_a_job_that_is_no_task_of_django_s_has_no_result():
    job_id = defer("sample.remember_async", {"number": 1})

    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(str(job_id))


def test_a_result_of_another_task_is_a_mismatch():
    result = tasks.add.enqueue(1)

    with pytest.raises(TaskResultMismatch):
        tasks.echo.get_result(result.id)


def test_a_result_belongs_to_its_backend():
    result = tasks.add.using(backend="other").enqueue(1)

    assert task_backends["other"].get_result(result.id) == result
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result.id)


# --- Safety -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["os.system", "os.nothing", "no.such.module", f"{tasks.__name__}.not_a_task", "word", ""]
)
def test_a_job_that_names_anything_but_a_task_runs_nothing(path: str):
    arguments = {"django_task": path, "backend": "default", "args": ["true"], "kwargs": {}}
    defer("procrastinate_tasks.run_django_task", {**arguments, "enqueued_at": timezone.now().isoformat()})

    with mock.patch("os.system") as system:
        assert drain_queue().failed == 1

    assert not system.called
    error = JobAttempt.objects.get()
    assert error.exception_class == f"{JobDoesNotFit.__module__}.{JobDoesNotFit.__name__}"
    assert json.dumps(path)[1:-1] in error.message


# --- Signals ----------------------------------------------------------------------------------------------


@contextmanager
def listening(signal: Signal) -> Iterator[list[tuple[type, Any]]]:
    heard: list[tuple[type, Any]] = []

    def hear(sender: type, task_result: Any, **kwargs: object) -> None:
        heard.append((sender, task_result))

    signal.connect(hear)
    try:
        yield heard
    finally:
        signal.disconnect(hear)


@pytest.mark.parametrize("task", [tasks.add, tasks.add_async])
def test_signals_tell_that_a_task_was_enqueued_started_and_finished(task: Any):
    with (
        listening(task_enqueued) as enqueued,
        listening(task_started) as started,
        listening(task_finished) as finished,
    ):
        result = task.enqueue(1, b=2)
        drain_queue()

    assert enqueued == [(ProcrastinateBackend, result)]
    assert [(sender, heard.status) for sender, heard in started] == [
        (ProcrastinateBackend, TaskResultStatus.RUNNING)
    ]
    ((sender, ended),) = finished
    assert (sender, ended.id, ended.status) == (ProcrastinateBackend, result.id, TaskResultStatus.SUCCESSFUL)
    assert (ended.return_value, ended.attempts) == (3, 1)
    assert ended.finished_at is not None


@pytest.mark.parametrize("task", [tasks.fail, tasks.fail_async])
def test_signals_tell_that_a_task_has_failed(task: Any):
    task.enqueue(*["secret"] * (task is tasks.fail))

    with listening(task_finished) as finished:
        drain_queue()

    ((_, ended),) = finished
    assert (ended.status, ended.errors[0].exception_class) == (TaskResultStatus.FAILED, tasks.Unlucky)


def test_a_listener_that_raises_does_not_change_how_the_task_ended(caplog: pytest.LogCaptureFixture):
    result = tasks.add.enqueue(1)

    def refuse(**kwargs: object) -> None:
        raise tasks.Unlucky("a listener's fault")

    task_finished.connect(refuse)
    try:
        drain_queue()
    finally:
        task_finished.disconnect(refuse)

    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert "a listener's fault" in caplog.text


# --- Checks, and a site that has no such API --------------------------------------------------------------


def test_the_checks_find_nothing_to_say():
    assert list(default_task_backend.check()) == []
    assert [message for message in run_checks() if message.id == "procrastinate_tasks.E020"] == []


@override_settings(TASKS={"default": {"BACKEND": BACKEND, "ENQUEUE_ON_COMMIT": False, "OPTIONS": {"x": 1}}})
def test_a_setting_without_effect_is_told():
    (message,) = default_task_backend.check()

    assert message.id == "procrastinate_tasks.W020"
    assert "ENQUEUE_ON_COMMIT, x" in message.msg


def test_the_queue_app_missing_among_the_installed_is_told():
    with override_settings(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"]):
        (message,) = ProcrastinateBackend("default", {}).check()

    assert message.id == "procrastinate_tasks.E020"


def test_saved_rows_of_a_task_are_in_the_database():
    tasks.save_group.enqueue("kept")

    drain_queue()

    assert Group.objects.filter(name="kept").exists()
