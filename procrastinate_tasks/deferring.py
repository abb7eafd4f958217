"""Deferring jobs by their task's name, and cancelling them, inside Django's current transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import cast

from procrastinate.contrib.django import app
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from procrastinate.types import JSONDict

from procrastinate_tasks.exceptions import UnknownTask
from procrastinate_tasks.job_manager import JobManager

CHUNK = 2000


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
