"""What can be asked of the queues: depths, failures and tasks, cheap however many finished jobs there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.database import fetch_row, fetch_rows, statement
from procrastinate_tasks.queries.workers import WorkerHeartbeat, list_workers
from procrastinate_tasks.schedule.periodic import all_schedules

MOST_FAILURES_COUNTED = 10_001

_FAILURES_OF_LAST_DAY = """
-- How many jobs failed for good in the last 24 hours, and what time it is.
SELECT count(*) AS failed, now() AS now
FROM procrastinate_events
WHERE type = 'failed'
  AND type IN ('succeeded', 'failed', 'cancelled', 'aborted')
  AND at > now() - interval '24 hours'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The unfinished jobs of a queue, each counted once.

    ``to_be_retried`` wait for the time of their retry, ``scheduled`` for that of their first run. The others
    are due: ``ready``, those that a lock blocks included, or ``paused`` with their queue. ``oldest_due_at``
    is since when the oldest of these could run, but for a pause.
    """

    queue: str
    ready: int
    paused: int
    scheduled: int
    to_be_retried: int
    running: int
    orphaned: int
    oldest_due_at: datetime | None

    @property
    def due(self) -> int:
        return self.ready + self.paused


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFailures:
    """How many jobs of a queue failed for good, of the latest ``MOST_FAILURES_COUNTED`` of all queues."""

    queue: str
    last_hour: int
    last_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """The queue at one moment, by the database's clock."""

    now: datetime
    queues: tuple[QueueDepth, ...]
    workers: tuple[WorkerHeartbeat, ...]
    failed_last_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A registered task."""

    name: str
    queue: str
    queueing_lock: str | None
    schedules: tuple[str, ...]


def read_status() -> QueueStatus:
    """Return depth, workers and the failures of the last day in three statements."""
    recent = fetch_row(_FAILURES_OF_LAST_DAY)
    return QueueStatus(
        now=recent["now"],
        queues=list_queue_depths(),
        workers=list_workers(),
        failed_last_day=recent["failed"],
    )


def list_queue_depths() -> tuple[QueueDepth, ...]:
    """Return the queues that hold unfinished jobs, by name."""
    rows = fetch_rows(statement("queries/queue_depths"), orphaned_after=plain_orphaned_after())
    return tuple(QueueDepth(**row) for row in rows)


def list_failures() -> tuple[QueueFailures, ...]:
    """Return the queues whose jobs failed for good within 24 hours."""
    rows = fetch_rows(statement("queries/failures_by_queue"), at_most=MOST_FAILURES_COUNTED)
    return tuple(QueueFailures(**row) for row in rows)


def list_tasks() -> tuple[TaskInfo, ...]:
    """Return the tasks this process knows, by name, each once."""
    app.perform_import_paths()
    unique = {task.name: task for task in app.tasks.values()}
    return tuple(
        TaskInfo(
            name=name,
            queue=task.queue,
            queueing_lock=task.queueing_lock,
            schedules=tuple(item.name for item in all_schedules() if item.task_name == name),
        )
        for name, task in sorted(unique.items())
    )
