"""For the tests of a project: run the waiting jobs in this process, and ask what was deferred.

Everything happens on Django's own connection, so it works inside the transaction of a plain ``TestCase``.
Where tests commit, ``EmptyQueueMixin`` keeps one's jobs from the next; pytest does so by itself.
"""

from __future__ import annotations

import asyncio
import socket
import unittest
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from asgiref.sync import async_to_sync
from django.db import OperationalError, connections, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from psycopg.pq import TransactionStatus

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import database_alias, fetch_rows, statement
from procrastinate_tasks.jobs import progress
from procrastinate_tasks.jobs.arguments import find_arguments
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import MOST_REFUSALS, Completion
from procrastinate_tasks.jobs.context import Progress
from procrastinate_tasks.jobs.parameters import Unfit
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.worker.child.runner import CallBuilder, JobRunner, fresh_context
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.completion_loop import log_end
from procrastinate_tasks.worker.options import WorkerOptions

__all__ = [
    "DrainReport",
    "EmptyQueueMixin",
    "QueueDidNotDrain",
    "assert_enqueued",
    "drain_queue",
    "empty_queue",
    "refute_enqueued",
]

AnyTask = Task[..., Any, ...]

_QUEUE_TABLES = (
    "procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs, procrastinate_workers"
)
_TRIES_TO_EMPTY = 5
# TRUNCATE makes new files for every table and index; of so few jobs the rows are gone in a tenth of its time.
_FEW_JOBS = 1000

_HOST = socket.gethostname()
_ENDS_A_JOB = (Exception, asyncio.CancelledError, SystemExit)

_WAITING_JOBS = """
-- The waiting jobs of one task, the oldest first.
SELECT
    id, status, task_name, priority, lock, queueing_lock, args,
    procrastinate_tasks_readable_v1(scheduled_at) AS scheduled_at, queue_name, attempts, worker_id
FROM procrastinate_jobs
WHERE status = 'todo'
  AND task_name = %(task_name)s
ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """How the attempts of one drain ended: a job that succeeded at its second retry counts three times.

    ``expired`` counts the jobs whose time was over before an attempt.
    """

    succeeded: int
    failed: int
    retried: int
    aborted: int
    snoozed: int = 0
    expired: int = 0


class QueueDidNotDrain(AssertionError):
    """The waiting jobs kept making new ones."""

    def __init__(self, max_runs: int) -> None:
        self.max_runs = max_runs
        super().__init__(
            f"The queue still held jobs after {max_runs} runs: does a task defer itself for ever?"
        )


def drain_queue(
    *, queues: Iterable[str] | None = None, with_scheduled: bool = False, max_runs: int = 10_000
) -> DrainReport:
    """Run the waiting jobs, and those they defer, one after another in this process until none is left.

    Each job runs as in a worker, with the same middleware and the same records; only Ctrl-C and what a test
    framework raises pass through. ``transaction.on_commit`` callbacks of a task run only when the surrounding
    transaction commits, which a ``TestCase``'s never does.

    Args:
        queues: run these queues only.
        with_scheduled: also run jobs whose time has not come, retries among them, in the order of their time.

    Raises:
        QueueDidNotDrain: more than ``max_runs`` attempts were made.
    """
    names = None if queues is None else list(queues)
    outcomes: Counter[Outcome] = Counter()
    drain = _Drain()
    expired = 0
    while (claimed := _claim_next(names, with_scheduled=with_scheduled)) is not None:
        if claimed["status"] == "cancelled":
            expired += 1
            continue
        if outcomes.total() >= max_runs:
            raise QueueDidNotDrain(max_runs)
        outcomes[drain.run_job(_assignment_of(claimed))] += 1
    return DrainReport(
        succeeded=outcomes[Outcome.SUCCEEDED],
        failed=outcomes[Outcome.FAILED] + outcomes[Outcome.SUPERSEDED],
        retried=outcomes[Outcome.RETRYING],
        aborted=outcomes[Outcome.ABORTED],
        snoozed=outcomes[Outcome.SNOOZED],
        expired=expired,
    )


class _LastWord:
    """Keeps what the job that runs said last of its progress."""

    def __init__(self) -> None:
        self._said: Progress | None = None

    def report(self, progress: Progress) -> None:
        self._said = progress

    def take(self) -> Progress | None:
        said, self._said = self._said, None
        return said

    def close(self, job_id: int) -> None:
        """What it said last is stored with its end."""


class _Drain:
    """Runs claimed jobs here as a worker's child does, and records their ends as the worker does."""

    def __init__(self) -> None:
        self._progress = _LastWord()
        self._builder = CallBuilder(
            app=app, options=WorkerOptions(), stop=lambda: None, progress=self._progress
        )
        self._runner = JobRunner(self._builder, around=_undone_if_broken, caught=_ENDS_A_JOB, is_alone=True)

    def run_job(self, assignment: ClaimedJob) -> Outcome:
        """Run one claimed job and record its end."""
        end = fresh_context().run(self._run, assignment)
        if said := self._progress.take():
            progress.store([said])
        settings = queue_settings()
        (recorded,) = record(
            [end],
            host=_HOST,
            release=settings.release,
            now=timezone.now(),
        )
        log_end(assignment, end, recorded)
        return recorded.outcome

    def _run(self, assignment: ClaimedJob) -> Completion:
        slot = Slot(index=0, async_context=None)
        if not self._builder.belongs_on_loop(assignment):
            return self._runner.run_in_thread(slot, assignment)
        with _undone_if_broken():
            return async_to_sync(self._runner.run_on_loop)(slot, assignment)


def assert_enqueued(
    task: str | AnyTask,
    args: Mapping[str, object] | None = None,
    *,
    queue: str | None = None,
    queueing_lock: str | None = None,
    scheduled_at: datetime | None = None,
) -> Job:
    """Return the first waiting job of this task that matches; what is not given is not compared.

    Args:
        args: arguments the job must have; it may have others.

    Raises:
        AssertionError: none matches; the message lists the task's waiting jobs.
    """
    waiting = _waiting_jobs(task)
    wanted = partial(
        _matches,
        args=_as_they_travel(task, args),
        queue=queue,
        queueing_lock=queueing_lock,
        scheduled_at=scheduled_at,
    )
    found = next(filter(wanted, waiting), None)
    if found is None:
        raise AssertionError(f"No such job of {_name_of(task)} waits. Waiting: {_describe(waiting)}")
    return found


def refute_enqueued(
    task: str | AnyTask,
    args: Mapping[str, object] | None = None,
    *,
    queue: str | None = None,
    queueing_lock: str | None = None,
    scheduled_at: datetime | None = None,
) -> None:
    """Assert that no waiting job of this task matches; what is not given is not compared.

    Raises:
        AssertionError: naming the job that matches.
    """
    wanted = partial(
        _matches,
        args=_as_they_travel(task, args),
        queue=queue,
        queueing_lock=queueing_lock,
        scheduled_at=scheduled_at,
    )
    found = [job for job in _waiting_jobs(task) if wanted(job)]
    if found:
        raise AssertionError(f"A job of {_name_of(task)} waits: {_describe(found)}")


def _as_they_travel(task: str | AnyTask, args: Mapping[str, object] | None) -> Mapping[str, object]:
    """Return arguments as a job's row has them: a ``Decimal`` is a text there."""
    options = find_options(_name_of(task))
    try:
        return options.parameters.encode(args or {}) if options else args or {}
    except Unfit as mismatch:
        raise AssertionError(f"No job of {_name_of(task)} can be so: {mismatch}") from None


# --- Running one job --------------------------------------------------------------------------------------


def _claim_next(queues: list[str] | None, *, with_scheduled: bool) -> dict[str, Any] | None:
    rows = fetch_rows(
        statement("jobs/claim_next"), queues=queues, with_scheduled=with_scheduled, now=timezone.now()
    )
    return rows[0] if rows else None


def _assignment_of(row: dict[str, Any]) -> ClaimedJob:
    """Django's connections answer jsonb as text."""
    return ClaimedJob(
        job_id=row["id"],
        task_name=row["task_name"],
        queue_name=row["queue_name"],
        priority=row["priority"],
        lock=row["lock"],
        queueing_lock=row["queueing_lock"],
        args_json=row["args"],
        scheduled_at=row["scheduled_at"],
        attempts=row["attempts"],
        worker_id=None,
        crashes=0,
        refusals=MOST_REFUSALS,  # nobody waits here until the database lets it in
    )


@contextmanager
def _undone_if_broken() -> Iterator[None]:
    """Keep a task's failed statement from spoiling the surrounding transaction.

    A worker's task runs outside any transaction: what it wrote before it raised stays, as it does here,
    unless the connection refuses further statements.
    """
    connection = connections[database_alias()]
    if not connection.in_atomic_block:
        yield
        return
    error: BaseException | None = None
    with transaction.atomic(using=connection.alias):
        try:
            yield
        except _ENDS_A_JOB as raised:
            error = raised
        status = connection.connection.info.transaction_status
        if connection.needs_rollback or status == TransactionStatus.INERROR:
            transaction.set_rollback(True, using=connection.alias)
    if error is not None:
        raise error


# --- Looking at the waiting jobs --------------------------------------------------------------------------


def _waiting_jobs(task: str | AnyTask) -> list[Job]:
    rows = fetch_rows(_WAITING_JOBS, task_name=_name_of(task))
    return [Job.from_row(_with_parsed_arguments(row)) for row in rows]


def _matches(
    job: Job,
    *,
    args: Mapping[str, object],
    queue: str | None,
    queueing_lock: str | None,
    scheduled_at: datetime | None,
) -> bool:
    return (
        all(name in job.task_kwargs and job.task_kwargs[name] == value for name, value in args.items())
        and queue in (None, job.queue)
        and queueing_lock in (None, job.queueing_lock)
        and scheduled_at in (None, job.scheduled_at)
    )


def _name_of(task: str | AnyTask) -> str:
    return task if isinstance(task, str) else task.name


def _describe(jobs: list[Job]) -> str:
    lines = [f"{job.call_string} at {job.scheduled_at or 'once'} lock {job.queueing_lock}" for job in jobs]
    return "; ".join(lines) or "none"


def _with_parsed_arguments(row: dict[str, Any]) -> dict[str, Any]:
    """Django's connections answer jsonb as text."""
    return {**row, "args": find_arguments(row["args"])}


# --- Between tests that commit ------------------------------------------------------------------------------


def empty_queue() -> None:
    """Delete all jobs, attempts and workers. For tests: the tables are locked while it works.

    Raises:
        OperationalError: a worker that the test has left behind held a table for ten seconds.
    """
    for further in reversed(range(_TRIES_TO_EMPTY)):
        try:
            return _empty_tables(database_alias())
        except OperationalError as fault:
            # Whoever a test left behind takes the tables in another order: Postgres ended one of the two.
            if not further or not isinstance(fault.__cause__, psycopg.errors.DeadlockDetected):
                raise


def _empty_tables(alias: str) -> None:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute(f"LOCK TABLE {_QUEUE_TABLES} IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SELECT count(*) FROM (SELECT FROM procrastinate_jobs LIMIT %s) AS job", [_FEW_JOBS])
        if cursor.fetchone() == (_FEW_JOBS,):
            cursor.execute(f"TRUNCATE {_QUEUE_TABLES} CASCADE")
        else:
            for table in _QUEUE_TABLES.split(", "):
                cursor.execute(f"DELETE FROM {table}")


class EmptyQueueMixin(unittest.TestCase):
    """Before ``TransactionTestCase`` or ``LiveServerTestCase``: each test begins and ends without a job."""

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test between two emptyings, whatever its own ``setUp`` and ``tearDown`` do."""
        empty_queue()
        try:
            return super().run(result)
        finally:
            empty_queue()
