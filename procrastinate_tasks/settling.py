"""Settling a job: the one statement that ends it or puts it back, and stores what its attempt came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from procrastinate.connector import BaseConnector
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import UniqueViolation

from procrastinate_tasks.results import AttemptRecord, Outcome
from procrastinate_tasks.statements import statement

_MOST_CLASHES = 5
_STATEMENT = "settle_jobs"
_EMPTY = (None, "")


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


class Settled(NamedTuple):
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


def statement_arguments(settlements: Sequence[Settlement]) -> dict[str, str]:
    """Return the parameter of ``sql/settle_jobs.sql``."""
    return {"ends": encode_ends(_columns_of(settlement) for settlement in settlements)}


def encode_ends(ends: Iterable[Mapping[str, object]]) -> str:
    """Return runs as the JSON that ``sql/settle_jobs.sql`` reads: its columns by name, empty ones left out.

    One text is much cheaper to send and to read than an array for each column. ``started_at`` and
    ``finished_at`` are Unix times.
    """
    items = [{name: value for name, value in end.items() if value not in _EMPTY} for end in ends]
    return json.dumps(items, default=datetime.isoformat)


def _columns_of(settlement: Settlement) -> dict[str, object]:
    columns = {field.name: getattr(settlement, field.name) for field in fields(settlement)}
    record = columns.pop("record")
    columns |= {field.name: getattr(record, field.name) for field in fields(record)}
    return columns | {
        "started_at": record.started_at.timestamp(),
        "finished_at": record.finished_at.timestamp(),
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
