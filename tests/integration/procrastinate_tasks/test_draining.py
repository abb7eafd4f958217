"""``drain_queue`` does in a test's transaction what a worker does outside it."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import Mock, patch

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from freezegun import freeze_time
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.job_context import JobContext
from procrastinate.middleware import SyncCallNext
from procrastinate.worker import Worker

from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import defer, defer_many
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.testing import (
    QueueDidNotDrain,
    assert_enqueued,
    drain_queue,
    refute_enqueued,
)
from tests.integration.procrastinate_tasks import sample_tasks

pytestmark = pytest.mark.django_db


def test_it_runs_waiting_jobs_and_those_they_defer():
    defer("sample.defer_another", {"number": 5})

    report = drain_queue()

    assert report.succeeded == 2
    assert sample_tasks.CALLS == [5]
    assert set(ProcrastinateJob.objects.values_list("status", flat=True)) == {"succeeded"}


def test_it_runs_higher_priorities_first_then_older_jobs():
    for number, priority in ((1, 0), (2, 5), (3, 0)):
        defer("sample.remember", {"number": number}, priority=priority)

    drain_queue()

    assert sample_tasks.CALLS == [2, 1, 3]


def test_it_leaves_other_queues_and_future_jobs_alone():
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() + timedelta(hours=1))

    assert drain_queue(queues=["other"]).succeeded == 0
    assert drain_queue(queues=["sample"]).succeeded == 0
    with freeze_time(timezone.now() + timedelta(hours=2)):
        assert drain_queue(queues=["sample"]).succeeded == 1


def test_asynchronous_tasks_and_tasks_with_context_run():
    defer("sample.remember_async", {"number": 1})
    defer("sample.with_context", {"number": 2})

    assert drain_queue().succeeded == 2
    assert sample_tasks.CALLS == [1, ("sample.with_context", 2)]


def test_the_return_value_is_stored():
    job_id = defer("sample.remember", {"number": 1})

    drain_queue()

    attempt = JobAttempt.objects.get()
    assert (attempt.job_id, attempt.attempt, attempt.outcome) == (job_id, 1, "succeeded")
    assert (attempt.result, attempt.traceback) == ("remembered=1", "")


def test_a_retry_waits_for_its_delay_and_each_attempt_is_stored():
    job_id = defer("sample.flaky", {"email": "ana@example.com"})

    first = drain_queue()
    waiting = ProcrastinateJob.objects.get()
    rest = drain_queue(with_scheduled=True)

    assert (first.retried, first.failed) == (1, 0)
    assert timedelta(seconds=28) < waiting.scheduled_at - timezone.now() < timedelta(seconds=31)
    assert (rest.retried, rest.failed) == (1, 1)
    outcomes = JobAttempt.objects.filter(job_id=job_id or 0).order_by("id").values_list("attempt", "outcome")
    assert list(outcomes) == [(1, "retrying"), (2, "retrying"), (3, "failed")]
    assert ProcrastinateJob.objects.get().status == "failed"


def test_an_exception_given_up_on_ends_the_job_at_once():
    defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})

    report = drain_queue(with_scheduled=True)

    assert (report.failed, report.retried) == (1, 0)


def test_a_stored_error_names_the_fault_and_hides_the_arguments():
    defer("sample.flaky", {"email": "ana@example.com"})

    drain_queue()

    attempt = JobAttempt.objects.get()
    assert attempt.exception_class.endswith("sample_tasks.Flaky")
    assert attempt.message == "cannot reach [email]"
    assert "in flaky" in attempt.traceback
    assert "ana@example.com" not in attempt.traceback
    assert "procrastinate_tasks/testing.py" not in attempt.traceback
    assert len(attempt.fingerprint) == 16


def test_a_task_that_breaks_the_connection_fails_alone():
    defer("sample.break_the_connection")
    defer("sample.remember", {"number": 1})

    report = drain_queue()

    assert (report.succeeded, report.failed) == (1, 1)
    assert not Group.objects.filter(name="undone").exists()


def test_a_task_that_swallows_a_failed_statement_succeeds_as_it_does_in_a_worker():
    defer("sample.swallow_a_failed_statement")

    assert drain_queue().succeeded == 1


def test_what_a_failing_task_wrote_stays_as_it_does_in_a_worker():
    defer("sample.write_then_raise")

    drain_queue()

    assert Group.objects.filter(name="kept").exists()


def test_a_job_whose_task_is_gone_fails_with_a_reason():
    job_id = defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET task_name = 'sample.removed' WHERE id = %s", [job_id])

    assert drain_queue().failed == 1
    assert JobAttempt.objects.get().exception_class == "procrastinate.exceptions.TaskNotFound"


@pytest.mark.parametrize("task_name", ["sample.leave", "sample.leave_async"])
def test_a_task_that_asks_python_to_exit_fails_and_the_next_job_runs(task_name: str):
    defer(task_name, {"by": "SystemExit"})
    defer("sample.remember", {"number": 1})

    report = drain_queue()

    assert (report.succeeded, report.failed) == (1, 1)
    assert JobAttempt.objects.get(task_name=task_name).exception_class == "builtins.SystemExit"


@pytest.mark.parametrize("task_name", ["sample.leave", "sample.leave_async"])
def test_ctrl_c_ends_the_test_and_not_the_job(task_name: str):
    defer(task_name, {"by": "KeyboardInterrupt"})

    with pytest.raises(KeyboardInterrupt):
        drain_queue()

    assert not JobAttempt.objects.exists()


def test_what_pytest_raises_in_a_task_ends_the_test():
    defer("sample.with_context", {"number": 1})

    with (
        pytest.raises(pytest.fail.Exception, match="seen"),
        patch.object(sample_tasks, "CALLS", Mock(append=Mock(side_effect=pytest.fail.Exception("seen")))),
    ):
        drain_queue()


def test_a_retry_strategy_that_fails_itself_means_no_retry():
    defer("sample.fail_with_a_broken_strategy")
    defer("sample.remember", {"number": 1})

    report = drain_queue()

    assert (report.succeeded, report.failed, report.retried) == (1, 1, 0)


def test_a_retry_strategy_may_ask_the_database_after_a_failed_statement():
    defer("sample.break_the_connection_with_a_strategy")

    assert drain_queue().failed == 1
    assert [Group.objects.count()] == sample_tasks.CALLS


def test_an_asynchronous_task_sees_the_rows_of_the_test_s_transaction():
    Group.objects.create(name="of the test")
    defer("sample.count_groups_async")

    assert drain_queue().succeeded == 1
    assert [Group.objects.count()] == sample_tasks.CALLS


def test_the_middleware_of_every_worker_runs_and_its_connection_clean_up_does_not(
    monkeypatch: pytest.MonkeyPatch,
):
    def watch(call_next: SyncCallNext, context: JobContext, worker: Worker) -> object:
        sample_tasks.CALLS.append("before")
        return call_next()

    given = app.worker_defaults["task_middleware"]
    monkeypatch.setitem(app.worker_defaults, "task_middleware", [*given, watch])
    defer("sample.remember", {"number": 1})

    with CaptureQueriesContext(connection) as queries:
        Group.objects.exists()
        drain_queue()

    assert sample_tasks.CALLS == ["before", 1]
    assert "auth_group" in queries[0]["sql"], "the clean-up empties the query log"


def test_a_task_that_defers_itself_for_ever_is_reported():
    defer("sample.defer_itself")

    with pytest.raises(QueueDidNotDrain, match="20 runs"):
        drain_queue(max_runs=20)


def test_many_jobs_drain_in_six_statements_each():
    defer_many("sample.remember", (Call({"number": n}) for n in range(200)))

    with CaptureQueriesContext(connection) as queries:
        report = drain_queue()

    assert report.succeeded == 200
    assert len(queries) == 6 * 200 + 1


def test_assert_enqueued_returns_the_job_it_found():
    job_id = defer("sample.remember", {"number": 1}, queueing_lock="one")

    job = assert_enqueued("sample.remember", {"number": 1}, queue="sample", queueing_lock="one")

    assert job.id == job_id
    assert assert_enqueued(sample_tasks.remember) == job


def test_assert_enqueued_lists_what_waits_when_nothing_matches():
    defer("sample.remember", {"number": 1})

    with pytest.raises(AssertionError, match=r"Waiting: sample\.remember\[\d+\]\(number=1\)"):
        assert_enqueued("sample.remember", {"number": 2})


def test_refute_enqueued_names_the_job_that_waits():
    defer("sample.remember", {"number": 1})

    refute_enqueued("sample.remember", {"number": 2})
    refute_enqueued("sample.locked")
    with pytest.raises(AssertionError, match=r"sample\.remember"):
        refute_enqueued("sample.remember", {"number": 1})
