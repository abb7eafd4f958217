"""For the tests of a project: run the waiting jobs in this process, and ask what was deferred.

Everything happens on Django's own connection, so it works inside the transaction of a plain ``TestCase``.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connections, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import JobAborted, TaskNotFound
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from procrastinate.middleware import compose
from procrastinate.tasks import Task
from psycopg.pq import TransactionStatus

from procrastinate_tasks import job_log
from procrastinate_tasks.job_manager import ClaimedJob, conclude, put_back
from procrastinate_tasks.middleware.log_context import log_fields
from procrastinate_tasks.results import Attempt, Outcome
from procrastinate_tasks.settling import Settlement, settle
from procrastinate_tasks.statements import statement

AnyTask = Task[..., Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """How the attempts of one drain ended: a job that succeeded at its second retry counts three times."""

    succeeded: int
    failed: int
    retried: int
    aborted: int


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

    Results, errors and retries are recorded as a worker records them. ``transaction.on_commit`` callbacks of
    a task run only when the surrounding transaction commits, which a ``TestCase``'s never does.

    Args:
        queues: run these queues only.
        with_scheduled: also run jobs whose time has not come, retries among them, in the order of their time.

    Raises:
        QueueDidNotDrain: more than ``max_runs`` attempts were made.
    """
    names = None if queues is None else list(queues)
    outcomes: Counter[Outcome] = Counter()
    while (job := _claim_next(names, with_scheduled=with_scheduled)) is not None:
        if outcomes.total() >= max_runs:
            raise QueueDidNotDrain(max_runs)
        outcomes[run_job(job)] += 1
    return DrainReport(
        succeeded=outcomes[Outcome.SUCCEEDED],
        failed=outcomes[Outcome.FAILED] + outcomes[Outcome.SUPERSEDED],
        retried=outcomes[Outcome.RETRYING],
        aborted=outcomes[Outcome.ABORTED],
    )


def run_job(job: Job) -> Outcome:
    """Run one claimed job here and settle it."""
    attempt = Attempt(job=job)
    with log_fields(job):
        job_log.log_start(job)
        try:
            with _undone_if_broken():
                attempt.result = _call_task(job)
        except (Exception, asyncio.CancelledError) as exception:
            attempt.exception = exception
        settlement = _settlement_of(attempt)
        (settled,) = settle(_connector(), [settlement])
        job_log.log_settled(settlement.record, settled, result=attempt.result, retry_at=settlement.retry_at)
    return settled.outcome


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
        _matches, args=args or {}, queue=queue, queueing_lock=queueing_lock, scheduled_at=scheduled_at
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
        _matches, args=args or {}, queue=queue, queueing_lock=queueing_lock, scheduled_at=scheduled_at
    )
    found = [job for job in _waiting_jobs(task) if wanted(job)]
    if found:
        raise AssertionError(f"A job of {_name_of(task)} waits: {_describe(found)}")


# --- Running one job --------------------------------------------------------------------------------------


def _claim_next(queues: list[str] | None, *, with_scheduled: bool) -> Job | None:
    rows = _connector().execute_query_all(
        statement("claim_next"), queues=queues, with_scheduled=with_scheduled, now=timezone.now()
    )
    return ClaimedJob.from_row(_with_parsed_arguments(rows[0])) if rows else None


def _call_task(job: Job) -> object:
    task: AnyTask | None = app.tasks.get(job.task_name)
    if task is None:
        raise TaskNotFound
    context = _context_of(job)
    call = partial(task, *([context] if task.pass_context else []), **job.task_kwargs)
    wrapped = compose(task.task_middleware, call, context, None)
    if inspect.iscoroutinefunction(task.func):
        return async_to_sync(_awaited)(wrapped)
    return wrapped()


async def _awaited(call: Any) -> object:
    return await call()


def _context_of(job: Job) -> JobContext:
    return JobContext(app=app, job=job, start_timestamp=time.time(), abort_reason=lambda: None)


def _settlement_of(attempt: Attempt) -> Settlement:
    if attempt.exception is None:
        return conclude(attempt, status=Status.SUCCEEDED)
    if isinstance(attempt.exception, JobAborted | asyncio.CancelledError):
        return conclude(attempt, status=Status.ABORTED)
    task: AnyTask | None = app.tasks.get(attempt.job.task_name)
    retry = task.get_retry_exception(attempt.exception, attempt.job) if task else None
    if retry is None:
        return conclude(attempt, status=Status.FAILED)
    decision = retry.retry_decision
    return put_back(
        attempt,
        retry_at=decision.retry_at,
        priority=decision.priority,
        queue=decision.queue,
        lock=decision.lock,
    )


@contextmanager
def _undone_if_broken() -> Iterator[None]:
    """Keep a task's failed statement from spoiling the surrounding transaction.

    A worker's task runs outside any transaction: what it wrote before it raised stays, as it does here,
    unless the connection refuses further statements.
    """
    connection = connections[procrastinate_settings.DATABASE_ALIAS]
    if not connection.in_atomic_block:
        yield
        return
    error: BaseException | None = None
    with transaction.atomic(using=connection.alias):
        try:
            yield
        except (Exception, asyncio.CancelledError) as raised:
            error = raised
        status = connection.connection.info.transaction_status
        if connection.needs_rollback or status == TransactionStatus.INERROR:
            transaction.set_rollback(True, using=connection.alias)
    if error is not None:
        raise error


# --- Looking at the waiting jobs --------------------------------------------------------------------------


def _waiting_jobs(task: str | AnyTask) -> list[Job]:
    rows = _connector().execute_query_all(statement("waiting_jobs"), task_name=_name_of(task))
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
    return {**row, "args": json.loads(row["args"])}


def _connector() -> DjangoConnector:
    return DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
