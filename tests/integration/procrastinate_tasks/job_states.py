"""Jobs in each state that the queue knows, made without a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from procrastinate_tasks.jobs.deferring import defer
from tests.integration.procrastinate_tasks import sample_tasks  # noqa: F401 - registers the tasks
from tests.integration.procrastinate_tasks.claiming import execute, register_worker

TASK = "sample.remember"


def make_job(*, status: str = "todo", queueing_lock: str | None = None, task: str = TASK) -> int:
    arguments = {"number": 1} if task == TASK else {}
    job_id = defer(task, arguments, queueing_lock=queueing_lock)
    assert job_id is not None
    if status != "todo":
        execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", job_id)
        execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status WHERE id = %s",
            status,
            job_id,
        )
    return job_id


def make_scheduled(*, attempts: int = 0) -> int:
    job_id = defer(TASK, {"number": 1}, schedule_at=timezone.now() + timedelta(hours=1))
    assert job_id is not None
    execute("UPDATE procrastinate_jobs SET attempts = %s WHERE id = %s", attempts, job_id)
    return job_id


def make_running(*, abort_requested: bool = False) -> int:
    job_id = make_job(status="doing")
    execute("UPDATE procrastinate_jobs SET worker_id = %s WHERE id = %s", register_worker(), job_id)
    execute("UPDATE procrastinate_jobs SET abort_requested = %s WHERE id = %s", abort_requested, job_id)
    return job_id


def make_orphaned(*, abort_requested: bool = False, queueing_lock: str | None = None) -> int:
    job_id = make_job(status="doing", queueing_lock=queueing_lock)
    execute("UPDATE procrastinate_jobs SET abort_requested = %s WHERE id = %s", abort_requested, job_id)
    return job_id


def make_parked() -> int:
    job_id = make_job(status="failed")
    add_attempt(job_id, outcome="parked")
    return job_id


def make_failed_with_taken_lock() -> int:
    job_id = make_job(status="failed", queueing_lock="taken")
    make_job(queueing_lock="taken")
    return job_id


def add_attempt(job_id: int, *, outcome: str) -> None:
    execute(
        "INSERT INTO procrastinate_tasks_jobattempt (job_id, attempt, task_name, queue_name, host, release,"
        " started_at, finished_at, outcome, exception_class, message, traceback, fingerprint)"
        " VALUES (%s, 1, %s, 'sample', '', '', now(), now(), %s, '', '', '', '')",
        job_id,
        TASK,
        outcome,
    )


def set_status(job_id: int, status: str) -> None:
    execute(
        "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status WHERE id = %s", status, job_id
    )


def status_of(job_id: int) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status::text FROM procrastinate_jobs WHERE id = %s", [job_id])
        row = cursor.fetchone()
    return row[0] if row else None


MAKERS: Mapping[str, Callable[[], int]] = {
    "ready": make_job,
    "scheduled": make_scheduled,
    "retrying": lambda: make_scheduled(attempts=1),
    "running": make_running,
    "stopping": lambda: make_running(abort_requested=True),
    "orphaned": make_orphaned,
    "orphaned and stopping": lambda: make_orphaned(abort_requested=True),
    "succeeded": lambda: make_job(status="succeeded"),
    "failed": lambda: make_job(status="failed"),
    "failed, its lock taken": make_failed_with_taken_lock,
    "parked": make_parked,
    "cancelled": lambda: make_job(status="cancelled"),
    "aborted": lambda: make_job(status="aborted"),
    "pruned": lambda: 987_654_321,
}
