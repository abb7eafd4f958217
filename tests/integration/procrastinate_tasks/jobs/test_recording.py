"""Ending a job or putting it back: only by the worker that holds it, never stuck on a queueing lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from procrastinate_tasks.jobs import recording
from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.models import JobAttempt, Outcome
from tests.integration.procrastinate_tasks.ending import end_of, settle_one, start

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


def retry_of(job_id: int | None) -> Completion:
    start(job_id)
    return end_of(job_id, Outcome.RETRYING)._replace(retry_at=datetime(2031, 1, 1, tzinfo=UTC))


def job(job_id: int | None) -> Any:
    return ProcrastinateJob.objects.get(id=job_id)


def test_success_ends_the_job_counts_the_attempt_and_stores_the_result_in_one_statement(
    django_assert_num_queries: Any,
):
    end = start(defer("sample.remember", {"number": 1}), register_worker())._replace(result='{"sum": 3}')

    with django_assert_num_queries(3):  # between a savepoint and its release
        settle_one(end)

    assert (job(end.job_id).status, job(end.job_id).attempts) == ("succeeded", 1)
    assert JobAttempt.objects.get().result == {"sum": 3}


def test_a_settled_job_belongs_to_no_worker_but_its_attempt_tells_which_ran_it():
    worker_id = register_worker()
    end = start(defer("sample.remember", {"number": 1}), worker_id)

    settle_one(end)

    assert job(end.job_id).worker_id is None
    assert JobAttempt.objects.get().worker_id == worker_id


def test_a_retry_beside_a_waiting_job_with_its_queueing_lock_fails_in_favour_of_that_one():
    end = retry_of(defer("sample.locked"))
    sibling_id = defer("sample.locked")

    settled = settle_one(end)

    assert settled == Recorded(
        job_id=end.job_id, status="failed", outcome=Outcome.SUPERSEDED, sibling_id=sibling_id
    )
    assert (job(end.job_id).status, job(sibling_id).status) == ("failed", "todo")
    assert JobAttempt.objects.get().outcome == Outcome.SUPERSEDED


def test_a_run_and_its_retry_stand_where_they_were_by_the_database_s_clock():
    end = start(defer("sample.remember", {"number": 1}))
    at = datetime.now(UTC)
    end = end._replace(status="todo", outcome=Outcome.RETRYING.value, started_at=end.finished_at - 50)

    settle_one(end._replace(retry_at=at + timedelta(minutes=7)))

    attempt = JobAttempt.objects.get()
    a_moment = timedelta(seconds=20)
    assert abs(attempt.finished_at - attempt.started_at - timedelta(seconds=50)) < timedelta(seconds=1)
    assert abs(attempt.finished_at - at) < a_moment
    assert abs(job(end.job_id).scheduled_at - at - timedelta(minutes=7)) < a_moment


def test_an_outage_puts_no_end_in_our_words(monkeypatch: pytest.MonkeyPatch):
    end = start(defer("sample.remember", {"number": 1}))
    tries = []

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise psycopg.errors.ConnectionFailure

    monkeypatch.setattr(recording, "fetch_rows", fail)

    with pytest.raises(psycopg.errors.ConnectionFailure):
        record([end])
    assert tries == [1]


def test_two_retries_with_one_queueing_lock_in_one_statement_leave_one_waiting():
    first = retry_of(defer("sample.locked"))
    second = retry_of(defer("sample.locked"))

    settled = record([first, second])

    assert {item.job_id: item.status for item in settled} == {first.job_id: "todo", second.job_id: "failed"}
    assert {item.sibling_id for item in settled} == {None, first.job_id}


def test_many_jobs_without_a_queueing_lock_are_put_back_together():
    ends = [retry_of(defer("sample.remember", {"number": n})) for n in range(3)]

    settled = record(ends)

    assert [item.status for item in settled] == ["todo", "todo", "todo"]


@pytest.mark.parametrize("change", [{"status": "todo"}, {"status": "succeeded"}, {"attempts": 4}])
def test_a_job_the_worker_has_lost_is_not_touched_and_nothing_is_recorded(change: dict[str, object]):
    end = start(defer("sample.remember", {"number": 1}), register_worker())
    change_job(end.job_id, **change)
    before = ProcrastinateJob.objects.values().get(id=end.job_id)

    assert settle_one(end) is None

    assert ProcrastinateJob.objects.values().get(id=end.job_id) == before
    assert not JobAttempt.objects.exists()


def test_a_job_that_another_worker_holds_is_not_touched():
    end = start(defer("sample.remember", {"number": 1}), register_worker())
    change_job(end.job_id, worker_id=register_worker())

    assert settle_one(end) is None
    assert job(end.job_id).status == "doing"


def test_a_job_whose_worker_was_pruned_but_that_nobody_rescued_can_be_finished():
    worker_id = register_worker()
    end = start(defer("sample.remember", {"number": 1}), worker_id)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers WHERE id = %s", [worker_id])

    assert settle_one(end) is not None


def test_a_failed_job_that_was_asked_to_stop_is_aborted_and_can_be_retried_by_hand():
    end = retry_of(defer("sample.remember", {"number": 1}))
    change_job(end.job_id, abort_requested=True)

    settled = settle_one(end)

    assert settled is not None
    assert settled.outcome == Outcome.ABORTED
    assert (job(end.job_id).status, job(end.job_id).abort_requested) == ("aborted", False)


def test_a_job_that_runs_again_at_once_keeps_its_place_before_younger_ones_with_its_lock():
    job_id = defer("sample.remember", {"number": 1})
    start(job_id)

    settle_one(end_of(job_id, Outcome.RETRYING))

    assert ProcrastinateJob.objects.get(id=job_id).scheduled_at is None


def test_an_interrupted_attempt_costs_the_job_nothing():
    job_id = defer("sample.remember", {"number": 1})
    start(job_id)

    settle_one(end_of(job_id, Outcome.INTERRUPTED))

    assert (job(job_id).status, job(job_id).attempts) == ("todo", 0)
    assert JobAttempt.objects.get().outcome == Outcome.INTERRUPTED


def test_procrastinate_s_events_are_written_as_ever():
    job_id = defer("sample.remember", {"number": 1})
    start(job_id)

    settle_one(end_of(job_id, Outcome.FAILED))

    types = ProcrastinateEvent.objects.filter(job_id=job_id).order_by("id").values_list("type", flat=True)
    assert list(types) == ["deferred", "started", "failed"]
