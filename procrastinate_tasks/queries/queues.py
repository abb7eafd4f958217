"""What can be asked of the queues: depths, failures and tasks, cheap however many finished jobs there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.database import Question, ask_together, statement
from procrastinate_tasks.queries.workers import WorkerHeartbeat, workers
from procrastinate_tasks.queues.pauses import PAUSES, Pause
from procrastinate_tasks.schedule.periodic import all_schedules

MOST_FAILURES_COUNTED = 10_001


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The unfinished jobs of a queue, each counted once, by the states of ``jobs.states.JobState``.

    ``to_be_retried`` wait for the time of their retry, ``scheduled`` for that of their first run. The others
    are due: ``ready`` for the next free slot, ``blocked`` by a lock, or ``paused`` with their queue or task.
    ``oldest_ready_at`` is since when the oldest ready job could run, ``oldest_due_at`` the same of all that
    are due.
    """

    queue: str
    ready: int = 0
    blocked: int = 0
    paused: int = 0
    scheduled: int = 0
    to_be_retried: int = 0
    running: int = 0
    orphaned: int = 0
    oldest_ready_at: datetime | None = None
    oldest_due_at: datetime | None = None

    @property
    def due(self) -> int:
        return self.ready + self.blocked + self.paused


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLately:
    """How many jobs of a task on a queue are failed, and failed for good within these times.

    ``day_before`` are the 24 hours before the last. The latest ``MOST_FAILURES_COUNTED`` of all are counted.
    """

    queue: str
    task: str
    last_hour: int
    last_day: int
    day_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """The queue at one moment, by the database's clock."""

    now: datetime
    queues: tuple[QueueDepth, ...]
    workers: tuple[WorkerHeartbeat, ...]
    failed_last_day: int
    pauses: tuple[Pause, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """A registered task."""

    name: str
    queue: str
    queueing_lock: str | None
    schedules: tuple[str, ...]


def read_status() -> QueueStatus:
    """Return depth, workers, pauses and the failures of the last day."""
    (now, pauses), depths, found, failed = ask_together(PAUSES, queue_depths(), workers(), FAILED_LATELY)
    return QueueStatus(
        now=now,
        queues=depths,
        workers=found,
        failed_last_day=sum(each.last_day for each in failed),
        pauses=pauses,
    )


def queue_depths() -> Question[tuple[QueueDepth, ...]]:
    """Ask for the queues that hold unfinished jobs, by name."""
    return Question(
        sql=statement("queries/queue_depths"),
        read=_read_depths,
        parameters={"orphaned_after": plain_orphaned_after()},
    )


def _read_depths(rows: list[dict[str, Any]]) -> tuple[QueueDepth, ...]:
    return tuple(QueueDepth(**row) for row in rows)


def _read_failed_lately(rows: list[dict[str, Any]]) -> tuple[FailedLately, ...]:
    return tuple(FailedLately(**row) for row in rows)


FAILED_LATELY = Question(
    sql=statement("queries/failed_lately"),
    read=_read_failed_lately,
    parameters={"at_most": MOST_FAILURES_COUNTED},
)
"""What failed within the last 48 hours and was not mended, by queue and task."""


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
