"""Deferring and cancelling jobs inside Django's transaction, by name or by Procrastinate's verbs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, cast

from asgiref.sync import sync_to_async
from procrastinate import manager
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job, Status
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.tasks import Task
from procrastinate.types import JSONDict

from procrastinate_tasks.database import atomic, fetch_rows, statement
from procrastinate_tasks.exceptions import InvalidTaskArguments, UnknownTask
from procrastinate_tasks.jobs.tasks import check_arguments, require_queue_name
from procrastinate_tasks.jobs.values import holds_nul

CHUNK = 2000

_CANCEL = """
-- Cancel the waiting job with this queueing lock; the unique index allows at most one.
UPDATE procrastinate_jobs
SET status = 'cancelled'
WHERE queueing_lock = %(queueing_lock)s
  AND status = 'todo'
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One of many jobs for the same task: its arguments, and when and under which lock it waits."""

    args: Mapping[str, object]
    queueing_lock: str | None = None
    schedule_at: datetime | None = None


def defer(
    task_name: str,
    args: Mapping[str, object] | None = None,
    *,
    schedule_at: datetime | None = None,
    queueing_lock: str | None = None,
    priority: int | None = None,
) -> int | None:
    """Defer one job, in the current transaction: it exists when and only when that commits.

    Args:
        schedule_at: aware instant before which the job does not run.
        queueing_lock: at most one job with it waits; by default the task's.
        priority: higher runs first; by default the task's.

    Returns:
        The job's id; None when a job with that queueing lock already waits.

    Raises:
        UnknownTask: no such task is registered.
        InvalidTaskArguments: the arguments do not fit the task.
    """
    call = Call(args or {}, queueing_lock=queueing_lock, schedule_at=schedule_at)
    (job_id,) = _job_manager().insert_jobs([_job_for(find_task(task_name), call, priority=priority)])
    return job_id


def defer_many(task_name: str, calls: Iterable[Call], *, priority: int | None = None) -> int:
    """Defer many jobs of one task, a statement for each two thousand; a generator is never held whole.

    Returns:
        How many were deferred: those whose queueing lock was taken are left out.

    Raises:
        UnknownTask: no such task is registered.
        InvalidTaskArguments: a call does not fit the task; earlier chunks stay unless the caller's
            transaction is rolled back.
    """
    task = find_task(task_name)
    deferred = 0
    for chunk in _chunks(calls):
        ids = _job_manager().insert_jobs([_job_for(task, call, priority=priority) for call in chunk])
        deferred += sum(job_id is not None for job_id in ids)
    return deferred


def cancel(*, queueing_lock: str) -> bool:
    """Cancel the waiting job with this queueing lock, in the current transaction.

    Returns:
        True if there was one. A job that already runs is not touched.
    """
    return _job_manager().cancel_by_queueing_lock(queueing_lock)


def find_task(task_name: str) -> Task[..., object, ...]:
    """Return a registered task by its name or one of its aliases.

    Raises:
        UnknownTask: with the nearest name that exists.
    """
    app.perform_import_paths()
    task = app.tasks.get(task_name)
    if task is None:
        raise UnknownTask(task_name, sorted(app.tasks))
    return task


def _job_for(task: Task[..., object, ...], call: Call, *, priority: int | None) -> Job:
    return Job(
        queue=task.queue,
        task_name=task.name,
        task_kwargs=cast("JSONDict", dict(call.args)),
        priority=task.priority if priority is None else priority,
        lock=task.lock,
        queueing_lock=task.queueing_lock if call.queueing_lock is None else call.queueing_lock,
        scheduled_at=call.schedule_at,
    )


def _job_manager() -> JobManager:
    return cast("JobManager", app.job_manager)


def _chunks(calls: Iterable[Call]) -> Iterator[list[Call]]:
    iterator = iter(calls)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


class JobManager(manager.JobManager):
    """Procrastinate's job manager, with three differences.

    * Jobs are deferred on Django's connection, in a worker as in web code: they share the transaction of the
      rows written beside them.
    * Arguments are checked whenever a job is deferred.
    * A taken queueing lock raises ``AlreadyEnqueued`` as ever, but leaves the surrounding transaction usable.
    """

    @property
    def defers_in_django(self) -> bool:
        """False for a stand-in that a test put in with ``replace_connector``: it gets the jobs itself."""
        return isinstance(self.connector, PsycopgConnector | DjangoConnector)

    def insert_jobs(self, jobs: Sequence[Job]) -> list[int | None]:
        """Insert jobs on Django's connection in one statement.

        Returns:
            Their ids in order, None where another job waits with that queueing lock.

        Raises:
            InvalidTaskArguments: before anything is sent to the database.
        """
        parameters = _insert_parameters(jobs)
        rows = fetch_rows(statement("jobs/defer_jobs"), **parameters)
        ids = {row["place"]: row["id"] for row in rows}
        return [ids.get(place) for place in range(1, len(jobs) + 1)]

    def batch_defer_jobs(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Defer jobs, all or none.

        Raises:
            AlreadyEnqueued: a queueing lock is taken; nothing was deferred, the transaction stays usable.
            InvalidTaskArguments: a job's arguments do not fit its task.
        """
        if connection is not None or not self.defers_in_django:
            _insert_parameters(jobs)
            return super().batch_defer_jobs(jobs, connection)
        if len(jobs) == 1:
            return _with_ids(jobs, self.insert_jobs(jobs))
        with atomic():
            return _with_ids(jobs, self.insert_jobs(jobs))

    async def batch_defer_jobs_async(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Do as ``batch_defer_jobs`` does, on the connection that asynchronous code's ORM calls use."""
        if connection is not None or not self.defers_in_django:
            _insert_parameters(jobs)
            return await super().batch_defer_jobs_async(jobs, connection)
        return await sync_to_async(self.batch_defer_jobs)(jobs)

    def cancel_by_queueing_lock(self, queueing_lock: str) -> bool:
        """Cancel the waiting job with this queueing lock, in Django's transaction."""
        rows = fetch_rows(_CANCEL, queueing_lock=queueing_lock)
        return bool(rows)


# --- From jobs to the parameters of their INSERT
# --------------------------------------------------------------


def _insert_parameters(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    for job in jobs:
        require_queue_name(job.queue)
        check_arguments(job.task_name, job.task_kwargs)
    return {
        "queues": [job.queue for job in jobs],
        "task_names": [job.task_name for job in jobs],
        "priorities": [job.priority for job in jobs],
        "locks": [job.lock for job in jobs],
        "queueing_locks": [job.queueing_lock for job in jobs],
        "arguments": [encode_arguments(job.task_name, job.task_kwargs) for job in jobs],
        "scheduled_ats": [job.scheduled_at for job in jobs],
    }


def encode_arguments(task_name: str, arguments: Mapping[str, object]) -> str:
    """Return a job's arguments as JSON text that Postgres stores unchanged.

    Raises:
        InvalidTaskArguments: they hold something JSON or Postgres's jsonb cannot hold.
    """
    try:
        text = json.dumps(dict(arguments), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as refusal:
        raise InvalidTaskArguments(
            f"the arguments cannot be stored as JSON ({refusal}); pass ids, strings and numbers",
            task_name=task_name,
        ) from refusal
    if holds_nul(text):
        raise InvalidTaskArguments("an argument holds a NUL character", task_name=task_name)
    return text


def _with_ids(jobs: Sequence[Job], ids: Sequence[int | None]) -> list[Job]:
    deferred = []
    for job, job_id in zip(jobs, ids, strict=True):
        if job_id is None:
            raise AlreadyEnqueued(
                "Job cannot be enqueued: there is already a job in the queue "
                f"with the queueing lock {job.queueing_lock}"
            )
        deferred.append(job.evolve(id=job_id, status=Status.TODO.value))
    return deferred
