"""Settling a job: the one statement that ends it or puts it back, and stores what its attempt came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate.connector import BaseConnector
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import UniqueViolation

from procrastinate_tasks.results import AttemptRecord, Outcome
from procrastinate_tasks.statements import statement

_MOST_CLASHES = 5
_STATEMENT = "settle_jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What should become of a job after an attempt.

    ``worker_id`` and ``attempts`` are those of the claim: a job that was rescued meanwhile is not touched.
    ``status`` is ``succeeded``, ``failed``, ``aborted`` or ``todo`` (run again at
    ``retry_at``, None for at once);
    ``counts_attempt`` is false when the run shall cost the job no attempt.
    """

    job_id: int
    worker_id: int | None
    attempts: int
    status: str
    outcome: Outcome
    record: AttemptRecord
    counts_attempt: bool = True
    deletes_job: bool = False
    retry_at: datetime | None = None
    priority: int | None = None
    queue: str | None = None
    lock: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a job: ``sibling_id`` is the waiting job a retry was dropped for."""

    job_id: int
    status: str
    outcome: Outcome
    sibling_id: int | None


def settle(connector: DjangoConnector, settlements: Sequence[Settlement]) -> list[Settled]:
    """Settle jobs in Django's transaction; the answer leaves out those their worker had lost.

    Raises:
        UniqueViolation: a job with the same queueing lock was committed meanwhile; trying again settles it.
    """
    return read_answer(connector.execute_query_all(statement(_STATEMENT), **statement_arguments(settlements)))


async def settle_async(connector: BaseConnector, settlements: Sequence[Settlement]) -> list[Settled]:
    """Settle jobs in a transaction of their own, again when a queueing lock was taken meanwhile."""
    arguments = statement_arguments(settlements)
    for _ in range(_MOST_CLASHES):
        try:
            return read_answer(await connector.execute_query_all_async(statement(_STATEMENT), **arguments))
        except UniqueViolation:
            continue  # the job that took the lock is committed: the next try sees it
    return read_answer(await connector.execute_query_all_async(statement(_STATEMENT), **arguments))


def statement_arguments(settlements: Sequence[Settlement]) -> dict[str, list[Any]]:
    """Return the parameters of ``sql/settle_jobs.sql``: parallel arrays."""
    records = [settlement.record for settlement in settlements]
    return {
        "job_ids": [item.job_id for item in settlements],
        "worker_ids": [item.worker_id for item in settlements],
        "attempts": [item.attempts for item in settlements],
        "statuses": [item.status for item in settlements],
        "outcomes": [item.outcome.value for item in settlements],
        "counts": [item.counts_attempt for item in settlements],
        "deletes": [item.deletes_job for item in settlements],
        "retry_ats": [item.retry_at for item in settlements],
        "priorities": [item.priority for item in settlements],
        "queues": [item.queue for item in settlements],
        "locks": [item.lock for item in settlements],
        "task_names": [record.task_name for record in records],
        "queue_names": [record.queue_name for record in records],
        "hosts": [record.host for record in records],
        "releases": [record.release for record in records],
        "started_ats": [record.started_at for record in records],
        "finished_ats": [record.finished_at for record in records],
        "results": [record.result for record in records],
        "exception_classes": [record.exception_class for record in records],
        "messages": [record.message for record in records],
        "tracebacks": [record.traceback for record in records],
        "fingerprints": [record.fingerprint for record in records],
    }


def read_answer(rows: Iterable[dict[str, Any]]) -> list[Settled]:
    """Read the rows that ``sql/settle_jobs.sql`` answers."""
    return [
        Settled(
            job_id=row["job_id"],
            status=row["status"],
            outcome=Outcome(row["outcome"]),
            sibling_id=row["sibling_id"],
        )
        for row in rows
    ]
