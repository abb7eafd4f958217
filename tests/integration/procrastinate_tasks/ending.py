"""Ends of runs as a child sends them, made without one."""

from __future__ import annotations

import time

from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.models import Outcome

_STATUS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.RETRYING: "todo",
    Outcome.INTERRUPTED: "todo",
}


def start(job_id: int | None, worker_id: int | None = None) -> Completion:
    """Let the job run under this worker, and return the end of a run that returned nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s",
            [worker_id, job_id],
        )
    return end_of(job_id, Outcome.SUCCEEDED)


def end_of(job_id: int | None, outcome: Outcome) -> Completion:
    """Return how a run of this job ends that has just begun."""
    job = ProcrastinateJob.objects.get(id=job_id)
    return Completion(
        job_id=job.id,
        worker_id=job.worker_id,
        attempts=job.attempts,
        status=_STATUS[outcome],
        outcome=outcome.value,
        task_name=job.task_name,
        queue_name=job.queue_name,
        started_at=time.monotonic(),
        finished_at=time.monotonic(),
        counts_attempt=outcome is not Outcome.INTERRUPTED,
    )


def settle_one(end: Completion) -> Recorded | None:
    """Settle one run; None if the database refuses it."""
    return next(iter(record([end])), None)
