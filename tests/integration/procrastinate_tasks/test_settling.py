"""Ending a job or putting it back: only by the worker that holds it, never stuck on a queueing lock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from procrastinate.jobs import Status

from procrastinate_tasks.deferring import defer
from procrastinate_tasks.job_manager import ClaimedJob, conclude, give_back, put_back
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.results import Attempt, Outcome
from procrastinate_tasks.settling import Settled, Settlement, settle

pytestmark = pytest.mark.django_db


def register_worker() -> int:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        return int(cursor.fetchone()[0])


def change_job(job_id: int | None, **columns: Any) -> None:
    assignments = ", ".join(f"{name} = %s" for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE procrastinate_jobs SET {assignments} WHERE id = %s", [*columns.values(), job_id]
        )


def claim(job_id: int | None, worker_id: int | None = None) -> Attempt:
    change_job(job_id, status="doing", worker_id=worker_id)
    row = ProcrastinateJob.objects.get(id=job_id)
    return Attempt(
        job=ClaimedJob(
            id=row.id,
            queue=row.queue_name,
            lock=row.lock,
            queueing_lock=row.queueing_lock,
            task_name=row.task_name,
            task_kwargs=row.args,
            attempts=row.attempts,
            worker_id=row.worker_id,
        )
    )


def settle_one(settlement: Settlement) -> Settled | None:
    return next(iter(settle(DjangoConnector(), [settlement])), None)


def retry_of(attempt: Attempt) -> Settlement:
    attempt.exception = ValueError("again")
    return put_back(attempt, retry_at=datetime(2031, 1, 1, tzinfo=UTC))


def job(job_id: int | None) -> Any:
    return ProcrastinateJob.objects.get(id=job_id)


def test_success_ends_the_job_counts_the_attempt_and_stores_the_result_in_one_statement(
    django_assert_num_queries: Any,
):
    attempt = claim(defer("sample.remember", {"number": 1}), register_worker())
    attempt.result = {"sum": 3}

    with django_assert_num_queries(1):
        settle_one(conclude(attempt, status=Status.SUCCEEDED))

    assert (job(attempt.job.id).status, job(attempt.job.id).attempts) == ("succeeded", 1)
    assert JobAttempt.objects.get().result == {"sum": 3}


def test_a_settled_job_belongs_to_no_worker_but_its_attempt_tells_which_ran_it():
    worker_id = register_worker()
    attempt = claim(defer("sample.remember", {"number": 1}), worker_id)

    settle_one(conclude(attempt, status=Status.SUCCEEDED))

    assert job(attempt.job.id).worker_id is None
    assert JobAttempt.objects.get().worker_id == worker_id


def test_a_retry_beside_a_waiting_job_with_its_queueing_lock_fails_in_favour_of_that_one():
    attempt = claim(defer("sample.locked"))
    sibling_id = defer("sample.locked")

    settled = settle_one(retry_of(attempt))

    assert settled == Settled(
        job_id=attempt.job.id or 0, status="failed", outcome=Outcome.SUPERSEDED, sibling_id=sibling_id
    )
    assert (job(attempt.job.id).status, job(sibling_id).status) == ("failed", "todo")
    assert JobAttempt.objects.get().outcome == Outcome.SUPERSEDED


def test_two_retries_with_one_queueing_lock_in_one_statement_leave_one_waiting():
    first = claim(defer("sample.locked"))
    second = claim(defer("sample.locked"))

    settled = settle(DjangoConnector(), [retry_of(first), retry_of(second)])

    assert {item.job_id: item.status for item in settled} == {first.job.id: "todo", second.job.id: "failed"}
    assert {item.sibling_id for item in settled} == {None, first.job.id}


def test_many_jobs_without_a_queueing_lock_are_put_back_together():
    attempts = [claim(defer("sample.remember", {"number": n})) for n in range(3)]

    settled = settle(DjangoConnector(), [retry_of(attempt) for attempt in attempts])

    assert [item.status for item in settled] == ["todo", "todo", "todo"]


@pytest.mark.parametrize("change", [{"status": "todo"}, {"status": "succeeded"}, {"attempts": 4}])
def test_a_job_the_worker_has_lost_is_not_touched_and_nothing_is_recorded(change: dict[str, object]):
    attempt = claim(defer("sample.remember", {"number": 1}), register_worker())
    change_job(attempt.job.id, **change)
    before = ProcrastinateJob.objects.values().get(id=attempt.job.id)

    assert settle_one(conclude(attempt, status=Status.SUCCEEDED)) is None

    assert ProcrastinateJob.objects.values().get(id=attempt.job.id) == before
    assert not JobAttempt.objects.exists()


def test_a_job_that_another_worker_holds_is_not_touched():
    attempt = claim(defer("sample.remember", {"number": 1}), register_worker())
    change_job(attempt.job.id, worker_id=register_worker())

    assert settle_one(conclude(attempt, status=Status.SUCCEEDED)) is None
    assert job(attempt.job.id).status == "doing"


def test_a_job_whose_worker_was_pruned_but_that_nobody_rescued_can_be_finished():
    worker_id = register_worker()
    attempt = claim(defer("sample.remember", {"number": 1}), worker_id)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers WHERE id = %s", [worker_id])

    assert settle_one(conclude(attempt, status=Status.SUCCEEDED)) is not None


def test_a_failed_job_that_was_asked_to_stop_is_aborted_and_can_be_retried_by_hand():
    attempt = claim(defer("sample.remember", {"number": 1}))
    change_job(attempt.job.id, abort_requested=True)

    settled = settle_one(retry_of(attempt))

    assert settled is not None
    assert settled.outcome == Outcome.ABORTED
    assert (job(attempt.job.id).status, job(attempt.job.id).abort_requested) == ("aborted", False)


def test_a_job_that_runs_again_at_once_keeps_its_place_before_younger_ones_with_its_lock():
    job_id = defer("sample.remember", {"number": 1})
    attempt = claim(job_id)

    settle_one(put_back(attempt, retry_at=None))

    assert ProcrastinateJob.objects.get(id=job_id).scheduled_at is None


def test_an_interrupted_attempt_costs_the_job_nothing():
    attempt = claim(defer("sample.remember", {"number": 1}))

    settle_one(give_back(attempt))

    assert (job(attempt.job.id).status, job(attempt.job.id).attempts) == ("todo", 0)
    assert JobAttempt.objects.get().outcome == Outcome.INTERRUPTED


def test_a_deleted_job_leaves_its_attempt():
    attempt = claim(defer("sample.remember", {"number": 1}))

    settle_one(conclude(attempt, status=Status.SUCCEEDED, delete_job=True))

    assert not ProcrastinateJob.objects.exists()
    assert JobAttempt.objects.get().job_id == attempt.job.id


def test_procrastinate_s_events_are_written_as_ever():
    attempt = claim(defer("sample.remember", {"number": 1}))

    settle_one(conclude(attempt, status=Status.FAILED))

    types = (
        ProcrastinateEvent.objects.filter(job_id=attempt.job.id).order_by("id").values_list("type", flat=True)
    )
    assert list(types) == ["deferred", "started", "failed"]


@pytest.mark.parametrize(
    ("result", "stored"),
    [
        ("text", "text"),
        (None, None),
        ({"a": [1, 2.5, True]}, {"a": [1, 2.5, True]}),
        ({1, 2}, "{1, 2}"),
        (float("nan"), "nan"),
        ("nul \x00 byte", "nul \ufffd byte"),
        ("half \ud83d pair", "half ? pair"),
        ("x" * 20_000, "(20002 bytes: more than PROCRASTINATE_TASKS_MAX_RESULT_BYTES)"),
    ],
)
def test_any_return_value_can_be_stored(result: object, stored: object):
    attempt = claim(defer("sample.remember", {"number": 1}))
    attempt.result = result

    settle_one(conclude(attempt, status=Status.SUCCEEDED))

    assert JobAttempt.objects.get().result == stored


def test_an_exception_with_a_nul_byte_can_be_stored():
    attempt = claim(defer("sample.remember", {"number": 1}))
    attempt.exception = ValueError("nul \x00 byte")

    settle_one(conclude(attempt, status=Status.FAILED))

    assert JobAttempt.objects.get().message == "nul  byte"
