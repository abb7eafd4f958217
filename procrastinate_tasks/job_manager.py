"""The app's job manager: defers in Django's transaction, settles only what its worker still holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import attr
from asgiref.sync import sync_to_async
from django.db import transaction
from procrastinate import manager
from procrastinate.connector import BaseConnector
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job, Status
from procrastinate.psycopg_connector import PsycopgConnector
from procrastinate.types import JSONDict

from procrastinate_tasks import job_log, registry
from procrastinate_tasks.exceptions import InvalidTaskArguments
from procrastinate_tasks.results import Attempt, Outcome, attempt_of, record_of
from procrastinate_tasks.settling import Settlement, settle_async
from procrastinate_tasks.statements import statement

_OUTCOME_OF_STATUS = {
    Status.SUCCEEDED: Outcome.SUCCEEDED,
    Status.FAILED: Outcome.FAILED,
    Status.ABORTED: Outcome.ABORTED,
}


class ClaimedJob(Job):
    """A job in a worker, which keeps its arguments out of Procrastinate's own log lines."""

    @property
    def call_string(self) -> str:
        return job_log.describe_call(self)

    def log_context(self) -> JSONDict:
        return {
            "id": self.id,
            "task_name": self.task_name,
            "queue": self.queue,
            "attempts": self.attempts,
            "call_string": self.call_string,
        }


class Companion(Protocol):
    """What runs beside a worker's jobs, from its registration to its unregistration."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


class JobManager(manager.JobManager):
    """Procrastinate's job manager, with four differences.

    * Jobs are deferred on Django's connection, in a worker as in web code: they share the transaction of the
      rows written beside them.
    * Arguments are checked whenever a job is deferred.
    * A taken queueing lock raises ``AlreadyEnqueued`` as ever, but leaves the surrounding transaction usable.
    * Ending or retrying a job stores what the attempt came to in the same statement, never gets stuck on a
      queueing lock, and is refused when the worker has lost the job.
    """

    def __init__(
        self, connector: BaseConnector, *, companion_of: Callable[[int], Companion] | None = None
    ) -> None:
        super().__init__(connector)
        self._companion_of = companion_of
        self._companions: dict[int, Companion] = {}

    @property
    def defers_in_django(self) -> bool:
        """False for a stand-in that a test put in with ``replace_connector``: it gets the jobs itself."""
        return isinstance(self.connector, PsycopgConnector | DjangoConnector)

    # --- Deferring ----------------------------------------------------------------------------------------

    def insert_jobs(self, jobs: Sequence[Job]) -> list[int | None]:
        """Insert jobs on Django's connection in one statement.

        Returns:
            Their ids in order, None where another job waits with that queueing lock.

        Raises:
            InvalidTaskArguments: before anything is sent to the database.
        """
        parameters = _insert_parameters(jobs)
        connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
        rows = connector.execute_query_all(statement("defer_jobs"), **parameters)
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
        with transaction.atomic(using=procrastinate_settings.DATABASE_ALIAS):
            return _with_ids(jobs, self.insert_jobs(jobs))

    async def batch_defer_jobs_async(self, jobs: list[Job], connection: Any | None = None) -> list[Job]:
        """Do as ``batch_defer_jobs`` does, on the connection that asynchronous code's ORM calls use."""
        if connection is not None or not self.defers_in_django:
            _insert_parameters(jobs)
            return await super().batch_defer_jobs_async(jobs, connection)
        return await sync_to_async(self.batch_defer_jobs)(jobs)

    def cancel_by_queueing_lock(self, queueing_lock: str) -> bool:
        """Cancel the waiting job with this queueing lock, in Django's transaction."""
        connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
        rows = connector.execute_query_all(statement("cancel_by_queueing_lock"), queueing_lock=queueing_lock)
        return bool(rows)

    # --- The worker's side --------------------------------------------------------------------------------

    async def register_worker(self) -> int:
        """Register a worker and start what runs beside its jobs."""
        worker_id = await super().register_worker()
        if self._companion_of is not None and self.defers_in_django:
            companion = self._companions[worker_id] = self._companion_of(worker_id)
            companion.start()
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        """Stop what runs beside the jobs: until here a draining worker kept its heartbeat."""
        companion = self._companions.pop(worker_id, None)
        if companion is not None:
            await companion.stop()
        await super().unregister_worker(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        job = await super().fetch_job(queues, worker_id)
        return None if job is None else ClaimedJob(**attr.asdict(job, recurse=False))

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job that this worker still holds, and store what its attempt came to."""
        attempt = attempt_of(job)
        if attempt.was_interrupted:
            await self._settle(give_back(attempt), attempt)
            return
        await self._settle(conclude(attempt, status=status, delete_job=delete_job), attempt)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put a job back that this worker still holds, or end it in favour of a waiting one with its lock."""
        attempt = attempt_of(job)
        if attempt.was_interrupted:
            await self._settle(give_back(attempt), attempt)
            return
        retry = put_back(attempt, retry_at=retry_at, priority=priority, queue=queue, lock=lock)
        await self._settle(retry, attempt)

    async def _settle(self, settlement: Settlement, attempt: Attempt) -> None:
        settled = await settle_async(self.connector, [settlement])
        if not settled:
            job_log.log_lost(attempt.job)
            return
        job_log.log_settled(
            settlement.record, settled[0], result=attempt.result, retry_at=settlement.retry_at
        )


# --- From an attempt to its settlement
# ------------------------------------------------------------------------


def conclude(attempt: Attempt, *, status: Status, delete_job: bool = False) -> Settlement:
    """Return the settlement of an attempt that ends its job."""
    return _settlement(
        attempt, status=status.value, outcome=_OUTCOME_OF_STATUS[status], deletes_job=delete_job
    )


def put_back(
    attempt: Attempt,
    *,
    retry_at: datetime | None,
    priority: int | None = None,
    queue: str | None = None,
    lock: str | None = None,
) -> Settlement:
    """Return the settlement of a failed attempt that is followed by another."""
    return _settlement(
        attempt,
        status=Status.TODO.value,
        outcome=Outcome.RETRYING,
        retry_at=retry_at,
        priority=priority,
        queue=queue,
        lock=lock,
    )


def give_back(attempt: Attempt) -> Settlement:
    """Return the settlement of an attempt that a shutdown cut short: it costs the job nothing."""
    return _settlement(
        attempt,
        status=Status.TODO.value,
        outcome=Outcome.INTERRUPTED,
        counts_attempt=False,
    )


def _settlement(attempt: Attempt, **decision: Any) -> Settlement:
    job = attempt.job
    if job.id is None:
        raise ValueError("A job without an id was never deferred, and cannot be settled.")
    return Settlement(
        job_id=job.id,
        worker_id=job.worker_id,
        attempts=job.attempts,
        record=record_of(attempt),
        **decision,
    )


# --- From jobs to the parameters of their INSERT
# --------------------------------------------------------------


def _insert_parameters(jobs: Sequence[Job]) -> dict[str, list[Any]]:
    for job in jobs:
        registry.check_arguments(job.task_name, job.task_kwargs)
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
    except (TypeError, ValueError) as refusal:
        raise InvalidTaskArguments(
            f"the arguments cannot be stored as JSON ({refusal}); pass ids, strings and numbers",
            task_name=task_name,
        ) from refusal
    if "\\u0000" in text:
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
