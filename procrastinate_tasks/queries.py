"""What can be asked of the queue: read only, and cheap however many finished jobs there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone
from procrastinate_tasks.limits import QueueLimit, Rate
from procrastinate_tasks.policies import CatchUp, JobFacts, WorkerFacts
from procrastinate_tasks.reasons import Reason, explain
from procrastinate_tasks.schedule import Schedule, all_schedules
from procrastinate_tasks.statements import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The unfinished jobs of a queue. ``oldest_ready_at`` is since when the oldest ready one could run."""

    queue: str
    ready: int
    scheduled: int
    running: int
    orphaned: int
    oldest_ready_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeartbeat:
    """A worker's row: ``is_alive`` unless it has been silent for ``PROCRASTINATE_TASKS_ORPHANED_AFTER``."""

    id: int
    last_heartbeat: datetime
    is_alive: bool
    running: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """A schedule with its past and its future.

    ``last_tick_at`` is the tick that was last deferred, ``lateness`` how long after it that happened,
    ``problem`` why it cannot run. A schedule that is disabled has no next run.
    """

    name: str
    task_name: str
    cron: str
    zone: str
    catch_up: CatchUp
    next_at: datetime | None
    last_tick_at: datetime | None
    lateness: timedelta | None
    last_job_id: int | None
    missed_count: int
    problem: str = ""
    disabled_at: datetime | None = None
    disabled_by: str = ""
    disable_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRuleInfo:
    """What holds a queue back. ``recent_starts`` were made within the rate's period, None without a rate."""

    queue: str
    paused_at: datetime | None
    paused_by: str
    pause_reason: str
    limit: QueueLimit
    limits_by_hand: bool
    recent_starts: int | None
    running: int


def read_status() -> QueueStatus:
    """Return depth, workers and the failures of the last day in three statements."""
    orphaned_after = queue_settings().orphaned_after
    workers = _rows("worker_heartbeats", orphaned_after=orphaned_after)
    depths = _rows("queue_depths", orphaned_after=orphaned_after)
    (recent,) = _rows("failures_of_last_day")
    return QueueStatus(
        now=recent["now"],
        queues=tuple(QueueDepth(**row) for row in depths),
        workers=tuple(WorkerHeartbeat(**row) for row in workers),
        failed_last_day=recent["failed"],
    )


def is_paused(queue: str) -> bool:
    """Tell whether a queue is paused: one look at a small table, for a running job that wants to know."""
    (row,) = _rows("is_paused", queue=queue)
    paused: bool = row["is_paused"]
    return paused


def list_queue_rules() -> tuple[QueueRuleInfo, ...]:
    """Return the queues that are paused or limited, by name; settings count once a worker has started."""
    return tuple(_queue_rule_info(row) for row in _rows("queue_rules"))


def list_queue_names() -> tuple[str, ...]:
    """Return the queues of registered tasks, declared limits, waiting and past jobs."""
    names = {task.queue for task in list_tasks()} | set(queue_settings().queue_limits)
    return tuple(sorted(names | {row["name"] for row in _rows("queue_names")}))


def why_not_running(job_id: int, now: datetime | None = None) -> Reason:
    """Return the one cause why a job is not running, in two statements.

    Args:
        now: by default the database's clock.
    """
    settings = queue_settings()
    rows = _rows("job_facts", job_id=job_id, now=now, orphaned_after=settings.orphaned_after)
    job = JobFacts(**rows[0]) if rows else None
    workers = _worker_facts(job, orphaned_after=settings.orphaned_after) if job else ()
    return explain(job_id, job, workers, rescue_every=settings.rescue_every)


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


def list_schedule(now: datetime | None = None) -> tuple[ScheduleInfo, ...]:
    """Return the schedules of this process's code, the next to run first.

    Args:
        now: by default the database's clock.
    """
    rows = {row["name"]: row for row in _rows("schedule_states")}
    clock = now or _rows("failures_of_last_day")[0]["now"]
    infos = [_schedule_info(item, rows.get(item.name, {}), now=clock) for item in all_schedules()]
    return tuple(sorted(infos, key=lambda info: (info.next_at is None, info.next_at or clock, info.name)))


def _queue_rule_info(row: dict[str, Any]) -> QueueRuleInfo:
    rate = Rate(row["rate_limit"], per=row["rate_period"]) if row["rate_limit"] else None
    return QueueRuleInfo(
        queue=row["queue_name"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        limit=QueueLimit(rate=rate, concurrency=row["concurrency_limit"]),
        limits_by_hand=row["limits_by_hand"],
        recent_starts=row["recent_starts"],
        running=row["running"],
    )


def _worker_facts(job: JobFacts, *, orphaned_after: timedelta) -> tuple[WorkerFacts, ...]:
    rows = _rows(
        "worker_facts", queue=job.queue_name, task=job.task_name, now=job.now, orphaned_after=orphaned_after
    )
    return tuple(WorkerFacts(**row) for row in rows)


def _schedule_info(schedule: Schedule, row: dict[str, Any], *, now: datetime) -> ScheduleInfo:
    next_at, problem = None, ""
    try:
        next_at = schedule.cron.next_after(now)
    except (InvalidCron, UnknownTimeZone) as error:
        problem = str(error)
    tick_at, deferred_at = row.get("last_deferred_tick_at"), row.get("last_deferred_at")
    return ScheduleInfo(
        name=schedule.name,
        task_name=schedule.task_name,
        cron=schedule.cron_expression,
        zone=schedule.zone,
        catch_up=schedule.catch_up,
        next_at=None if row.get("disabled_at") else next_at,
        last_tick_at=tick_at,
        lateness=deferred_at - tick_at if tick_at and deferred_at else None,
        last_job_id=row.get("last_job_id"),
        missed_count=row.get("missed_count", 0),
        problem=problem,
        disabled_at=row.get("disabled_at"),
        disabled_by=row.get("disabled_by", ""),
        disable_reason=row.get("disable_reason", ""),
    )


def _rows(name: str, **parameters: object) -> list[dict[str, Any]]:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    return connector.execute_query_all(statement(name), **parameters)
