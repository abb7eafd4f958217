"""What can be asked of the workers: their heartbeats, the jobs in progress, and whose worker is gone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.database import Question, ask, statement

MOST_JOBS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInProgress:
    """A job that is ``doing``; ``worker_id`` is None where the worker's row is gone."""

    id: int
    task_name: str
    queue_name: str
    attempts: int
    worker_id: int | None
    abort_requested: bool
    started_at: datetime | None
    is_orphaned: bool


def jobs_in_progress() -> Question[tuple[JobInProgress, ...]]:
    """Ask for the jobs in progress, at most ``MOST_JOBS``: the orphaned first, then the longest running."""
    return Question(
        sql=statement("queries/jobs_of_workers"),
        read=_read_jobs,
        parameters={"orphaned_after": plain_orphaned_after(), "at_most": MOST_JOBS},
    )


def _read_jobs(rows: list[dict[str, Any]]) -> tuple[JobInProgress, ...]:
    return tuple(JobInProgress(**row) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeartbeat:
    """A worker's row: ``is_alive`` unless it has been silent for longer than ``orphaned_after``.

    ``unrecorded`` jobs of it have ended and are not recorded, the oldest for ``unrecorded_for``; its claims
    fail for ``claims_fail_for``. ``memory_bytes`` is that of its biggest child, which is replaced above
    ``max_memory_bytes``, ``refusal`` why its children cannot connect to the database. A worker of
    Procrastinate's own says nothing about itself: those fields are empty. ``clock_skew``
    is how far its host's clock is ahead of the database's.
    """

    id: int
    last_heartbeat: datetime
    heartbeat_age: timedelta
    orphaned_after: timedelta
    is_alive: bool
    running: int
    host: str
    pid: int | None
    release: str
    project: str
    queues: tuple[str, ...] | None
    capacity: int | None
    memory_bytes: int | None
    max_memory_bytes: int | None
    started_at: datetime | None
    refusal: str
    clock_skew: timedelta | None = None
    unrecorded: int = 0
    unrecorded_for: timedelta | None = None
    claims_fail_for: timedelta | None = None

    def serves(self, queue: str) -> bool:
        """Whether it takes jobs of a queue; a plain Procrastinate worker does not say."""
        return self.queues is None or queue in self.queues


def list_workers() -> tuple[WorkerHeartbeat, ...]:
    """Return the registered workers, the longest registered first."""
    return ask(workers())


def workers() -> Question[tuple[WorkerHeartbeat, ...]]:
    """Ask for the registered workers, the longest registered first."""
    return Question(
        sql=statement("queries/worker_heartbeats"),
        read=_read_workers,
        parameters={"orphaned_after": plain_orphaned_after()},
    )


def _read_workers(rows: list[dict[str, Any]]) -> tuple[WorkerHeartbeat, ...]:
    return tuple(map(_worker_heartbeat, rows))


def _worker_heartbeat(row: dict[str, Any]) -> WorkerHeartbeat:
    queues = row.pop("queues")
    return WorkerHeartbeat(**row, queues=None if queues is None else tuple(json.loads(queues) or ()) or None)
