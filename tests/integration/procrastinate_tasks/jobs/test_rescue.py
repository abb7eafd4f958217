"""Rescue of orphaned jobs, alone and by two at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.rescue import RescueReport, run_once
from procrastinate_tasks.models import JobAttempt

pytestmark = pytest.mark.django_db


ANA = Actor(name="ana")


def run_sql(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def register_worker(*, silent_for: timedelta) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - make_interval(secs => %s)) RETURNING id",
            [silent_for.total_seconds()],
        )
        return int(cursor.fetchone()[0])


def claim(job_id: int | None, worker_id: int | None) -> int | None:
    run_sql("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s", worker_id, job_id)
    return job_id


def an_orphan(**options: Any) -> int:
    job_id = defer("sample.remember", {"number": 1}, **options)
    assert job_id is not None
    claim(job_id, register_worker(silent_for=timedelta(seconds=31)))
    return job_id


def status_of(job_id: int | None) -> str:
    return str(ProcrastinateJob.objects.get(id=job_id).status)


def test_a_job_of_a_silent_worker_runs_again_and_its_lost_run_is_recorded():
    job_id = an_orphan()

    report = run_once()

    assert report == RescueReport(run_again=(job_id,))
    job = ProcrastinateJob.objects.get()
    assert (job.status, job.attempts) == ("todo", 1)
    attempt = JobAttempt.objects.get()
    assert attempt.outcome == "crashed"
    assert "sent no heartbeat for 31 s" in attempt.message


def test_a_job_whose_worker_s_row_is_gone_runs_again():
    job_id = claim(defer("sample.remember", {"number": 1}), None)

    assert run_once().run_again == (job_id,)
    assert "is gone" in JobAttempt.objects.get().message


def test_a_job_of_a_living_worker_is_left_alone():
    claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(seconds=29)))

    assert run_once() == RescueReport()


@override_settings(PROCRASTINATE_WORKER_DEFAULTS={"stalled_worker_timeout": 10.0})
def test_the_patience_with_a_plain_worker_is_procrastinate_s_own_option():
    job_id = claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(seconds=29)))

    assert run_once().run_again == (job_id,)


def test_the_time_can_be_given():
    claim(defer("sample.remember", {"number": 1}), register_worker(silent_for=timedelta(0)))

    assert run_once(datetime.now(UTC) + timedelta(minutes=1)).run_again


def test_a_job_is_parked_at_its_second_crash_and_its_release_starts_the_count_again():
    job_id = an_orphan()
    run_once()
    claim(job_id, None)
    assert run_once().parked == (job_id,)
    assert status_of(job_id) == "failed"

    act(Action.RELEASE, job_ids=[job_id], actor=ANA)
    claim(job_id, None)

    assert run_once().run_again == (job_id,)


def test_a_job_that_was_asked_to_stop_is_aborted_and_can_be_retried():
    job_id = an_orphan()
    run_sql("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", job_id)

    assert run_once().aborted == (job_id,)
    assert ProcrastinateJob.objects.get().abort_requested is False
    assert act(Action.RETRY, job_ids=[job_id], actor=ANA).applied


def test_a_job_whose_queueing_lock_another_waits_with_ends_in_favour_of_that_one():
    job_id = an_orphan(queueing_lock="one")
    defer("sample.remember", {"number": 2}, queueing_lock="one")

    assert run_once().superseded == (job_id,)
    assert status_of(job_id) == "failed"
