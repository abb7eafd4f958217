"""Deferring and cancelling jobs inside Django's transaction, by name or by Procrastinate's verbs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Unpack, cast, overload

from asgiref.sync import sync_to_async
from procrastinate import manager
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.tasks import Task
from procrastinate.types import JSONDict

from procrastinate_tasks.database import atomic, fetch_rows, in_transaction, statement
from procrastinate_tasks.exceptions import InvalidTaskArguments, UnknownTask
from procrastinate_tasks.jobs.calls import (
    Call,
    JobOptions,
    TaskCall,
    require_options,
    seconds_of,
    unique_key_of,
)
from procrastinate_tasks.jobs.task_options import convert_arguments, require_queue_name
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


def defer(
    task_name: str, args: Mapping[str, object] | None = None, **options: Unpack[JobOptions]
) -> int | None:
    """Defer one job, in the current transaction: it exists when and only when that commits.

    Args:
        options: when it may run, and under which lock; see ``JobOptions``.

    Returns:
        The job's id; None when a job with that queueing lock already waits, or one with that unique key was
        deferred within its time.

    Raises:
        UnknownTask: no such task is registered.
        InvalidTaskArguments: the arguments do not fit the task.
        ValueError: the options do not go together.
    """
    require_options(options)
    arguments = {} if args is None else args
    (job_id,) = insert_calls([TaskCall(find_task(task_name), Call(arguments, **options))])
    return job_id


@overload
def defer_many(task: str, calls: Iterable[Call], /, *, priority: int | None = ...) -> int: ...


@overload
def defer_many(calls: Iterable[TaskCall], /) -> int: ...


def defer_many(
    task: str | Iterable[TaskCall],
    calls: Iterable[Call] = (),
    /,
    *,
    priority: int | None = None,
) -> int:
    """Defer many jobs, a statement for each two thousand, so that a generator is not held whole.

    In a transaction those from the first with a queueing lock or a unique key on are one statement: two who
    defer the same ones wait for each other in turn, and never in a circle.

    Either calls of any tasks, ``defer_many(send_receipt.call(order_id=pk) for pk in ids)``, or one task's
    name and its ``Call``s.

    Returns:
        How many were deferred: those whose queueing lock or unique key was taken are left out.

    Raises:
        UnknownTask: no such task is registered.
        InvalidTaskArguments: a call does not fit its task; earlier chunks stay unless the caller's
            transaction is rolled back.
    """
    bound = _bind(find_task(task), calls, priority=priority) if isinstance(task, str) else task
    return sum(job_id is not None for chunk in _chunks(bound) for job_id in insert_calls(chunk))


def _bind(task: Task[..., Any, ...], calls: Iterable[Call], *, priority: int | None) -> Iterator[TaskCall]:
    for call in calls:
        _require(call, Call, "Call({…})")
        yield TaskCall(task, call, priority=priority)


def _require(call: object, kind: type, example: str) -> None:
    if not isinstance(call, kind):
        raise TypeError(f"defer_many takes calls as {example} makes them, not a {type(call).__name__}.")


def cancel(*, queueing_lock: str) -> bool:
    """Cancel the waiting job with this queueing lock, in the current transaction.

    Returns:
        True if there was one. A job that already runs is not touched.
    """
    return bool(fetch_rows(_CANCEL, queueing_lock=queueing_lock))


def find_task(task_name: str) -> Task[..., object, ...]:
    """Return a registered task by its name or one of its aliases.

    Raises:
        TypeError: it is something else than a name.
        UnknownTask: with the nearest name that exists.
    """
    if not isinstance(task_name, str):
        raise TypeError(
            f"A task is deferred by its name, not by this {type(task_name).__name__}. "
            "With the task itself: send_receipt.defer(…)."
        )
    app.perform_import_paths()
    task = app.tasks.get(task_name)
    if task is None:
        raise UnknownTask(task_name, sorted(app.tasks))
    return task


def insert_calls(calls: Sequence[TaskCall]) -> list[int | None]:
    """Insert jobs on Django's connection in one statement.

    Returns:
        Their ids in order, None where a queueing lock or a unique key is taken.

    Raises:
        InvalidTaskArguments: before anything is sent to the database.
    """
    for each in calls:
        _require(each, TaskCall, "send_receipt.call(…)")
    columns = _columns_of([_job_for(each) for each in calls])
    keys = [
        unique_key_of(each, arguments=text) for each, text in zip(calls, columns["arguments"], strict=True)
    ]
    return _insert(
        columns
        | {
            "schedule_ins": [seconds_of(each.call.schedule_in) for each in calls],
            "expires_ats": [each.call.expires_at for each in calls],
            "expires_ins": [seconds_of(each.call.expires_in) for each in calls],
            "unique_keys": keys,
            "unique_fors": [seconds_of(each.call.unique_for) for each in calls],
        }
    )


def _job_for(bound: TaskCall) -> Job:
    task, call = bound.task, bound.call
    priorities = (call.priority, bound.priority, task.priority)
    return Job(
        queue=call.queue or task.queue,
        task_name=task.name,
        task_kwargs=cast("JSONDict", dict(call.args)),
        priority=next(each for each in priorities if each is not None),
        lock=task.lock if call.lock is None else call.lock,
        queueing_lock=_queueing_lock_of(bound),
        scheduled_at=call.schedule_at,
    )


def _queueing_lock_of(bound: TaskCall) -> str | None:
    """Return the call's own, or its task's unless the call says for how long it is unique."""
    if bound.call.queueing_lock is not None or bound.call.unique_for is not None:
        return bound.call.queueing_lock
    return bound.task.queueing_lock


def _chunks(calls: Iterable[TaskCall]) -> Iterator[list[TaskCall]]:
    iterator = iter(calls)
    while chunk := list(islice(iterator, CHUNK)):
        # A transaction keeps what each statement took, and only within one statement is there an order.
        if in_transaction() and any(map(_excludes_others, chunk)):
            chunk += iterator
        yield chunk


def _excludes_others(bound: TaskCall) -> bool:
    """Whether a job may stand in the way of one that others defer; what is no call is refused later."""
    if not isinstance(bound, TaskCall):
        return False
    return bound.call.unique_for is not None or _queueing_lock_of(bound) is not None


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

    def batch_defer_jobs(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Defer jobs, all or none.

        Raises:
            AlreadyEnqueued: a queueing lock is taken; nothing was deferred, the transaction stays usable.
            InvalidTaskArguments: a job's arguments do not fit its task.
        """
        if connection is not None or not self.defers_in_django:
            return super().batch_defer_jobs(_converted(jobs), connection)
        if len(jobs) == 1:
            return _with_ids(jobs, _insert(_columns_of(jobs)))
        with atomic():
            return _with_ids(jobs, _insert(_columns_of(jobs)))

    async def batch_defer_jobs_async(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Do as ``batch_defer_jobs`` does, on the connection that asynchronous code's ORM calls use."""
        if connection is not None or not self.defers_in_django:
            return await super().batch_defer_jobs_async(_converted(jobs), connection)
        return await sync_to_async(self.batch_defer_jobs)(jobs)


# --- From jobs to their INSERT ----------------------------------------------------------------------------


def _converted(jobs: Sequence[Job]) -> list[Job]:
    """Return jobs as others than our statement can store them, once they are known to fit."""
    columns = _columns_of(jobs)
    return [
        job.evolve(task_kwargs=json.loads(text)) for job, text in zip(jobs, columns["arguments"], strict=True)
    ]


_UNUSUAL_TERMS = ("expires_ats", "expires_ins", "unique_keys", "unique_fors")
_TERMS = ("schedule_ins", *_UNUSUAL_TERMS)
# What the statement for one job calls what the one for many has a list of.
_SINGLE = {
    "queue": "queues",
    "task_name": "task_names",
    "priority": "priorities",
    "lock": "locks",
    "queueing_lock": "queueing_locks",
    "arguments": "arguments",
    "scheduled_at": "scheduled_ats",
    "schedule_in": "schedule_ins",
}


def _columns_of(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    for job in jobs:
        require_queue_name(job.queue)
    nothing = [None] * len(jobs)
    return {
        "queues": [job.queue for job in jobs],
        "task_names": [job.task_name for job in jobs],
        "priorities": [job.priority for job in jobs],
        "locks": [job.lock for job in jobs],
        "queueing_locks": [job.queueing_lock for job in jobs],
        "arguments": [encode_arguments(job.task_name, job.task_kwargs) for job in jobs],
        "scheduled_ats": [job.scheduled_at for job in jobs],
        **dict.fromkeys(_TERMS, nothing),
    }


def _insert(columns: Mapping[str, list[Any]]) -> list[int | None]:
    if len(columns["queues"]) == 1 and not any(columns[name][0] for name in _UNUSUAL_TERMS):
        row = {single: columns[plural][0] for single, plural in _SINGLE.items()}
        inserted = fetch_rows(statement("jobs/defer_job"), **row)
        return [inserted[0]["id"] if inserted else None]
    rows = fetch_rows(statement("jobs/defer_jobs"), **columns)
    ids = {row["place"]: row["id"] for row in rows}
    return [ids.get(place) for place in range(1, len(columns["queues"]) + 1)]


def encode_arguments(task_name: str, arguments: Mapping[str, object]) -> str:
    """Return a job's arguments as JSON text that Postgres stores unchanged.

    Raises:
        InvalidTaskArguments: they do not fit the task, or hold something JSON or Postgres's jsonb cannot.
    """
    travelling = convert_arguments(task_name, arguments)
    try:
        text = json.dumps(dict(travelling), ensure_ascii=False, allow_nan=False)
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
            taken = f"there is already a job in the queue with the queueing lock {job.queueing_lock}"
            raise AlreadyEnqueued(f"Job cannot be enqueued: {taken}") from UniqueViolation(
                taken, constraint_name=QUEUEING_LOCK_CONSTRAINT, queueing_lock=job.queueing_lock
            )
        deferred.append(job.evolve(id=job_id, status=Status.TODO.value))
    return deferred
