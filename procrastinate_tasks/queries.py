"""What can be asked of the queue: read only, and cheap however many finished jobs there are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException

from procrastinate_tasks.conf import plain_orphaned_after, queue_settings
from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone
from procrastinate_tasks.limits import QueueLimit, Rate
from procrastinate_tasks.policies import CatchUp, JobFacts, WorkerFacts
from procrastinate_tasks.reasons import Reason, explain
from procrastinate_tasks.results import Outcome
from procrastinate_tasks.schedule import Schedule, all_schedules
from procrastinate_tasks.statements import statement

MOST_FAILURES_COUNTED = 10_001

# What a question to the database may end with: Django's word for a fault, or Procrastinate's around it.
DATABASE_FAULTS = (DatabaseError, ConnectorException)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The unfinished jobs of a queue, each counted once.

    ``to_be_retried`` wait for the time of their retry, ``scheduled`` for that of their first run;
    ``oldest_ready_at`` is since when the oldest ready one could run.
    """

    queue: str
    ready: int
    scheduled: int
    to_be_retried: int
    running: int
    orphaned: int
    oldest_ready_at: datetime | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFailures:
    """How many jobs of a queue failed for good, of the latest ``MOST_FAILURES_COUNTED`` of all queues."""

    queue: str
    last_hour: int
    last_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUse:
    """How many database connections are open, of how many: by the limit that will be reached first."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """A session's transaction, open since then; ``application`` is how the session calls itself."""

    pid: int
    application: str
    since: datetime


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

    ``last_tick_at`` is the tick that was last deferred, ``last_deferred_at`` when that happened, ``lateness``
    how long after the tick. ``overdue_since`` is the first tick that no worker has dealt with although its
    time has come, ``problem`` why the schedule cannot run. One that is disabled is never overdue and has no
    next run.
    """

    name: str
    task_name: str
    cron: str
    zone: str
    catch_up: CatchUp
    next_at: datetime | None
    overdue_since: datetime | None
    last_tick_at: datetime | None
    last_deferred_at: datetime | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the queue has come.

    ``jobs_deferred`` and ``attempts_recorded`` count since the tables were made; a transaction that was
    rolled back may have used up numbers. ``ended_lately`` are the attempts of the last five minutes by
    outcome.
    """

    jobs_deferred: int
    attempts_recorded: int
    ended_lately: dict[str, int]


def read_status() -> QueueStatus:
    """Return depth, workers and the failures of the last day in three statements."""
    (recent,) = _rows("failures_of_last_day")
    return QueueStatus(
        now=recent["now"],
        queues=list_queue_depths(),
        workers=list_workers(),
        failed_last_day=recent["failed"],
    )


def database_now() -> datetime:
    """Return the time by the clock that every process shares."""
    now: datetime = _rows("database_now")[0]["now"]
    return now


def list_queue_depths() -> tuple[QueueDepth, ...]:
    """Return the queues that hold unfinished jobs, by name."""
    rows = _rows("queue_depths", orphaned_after=plain_orphaned_after())
    return tuple(QueueDepth(**row) for row in rows)


def list_workers() -> tuple[WorkerHeartbeat, ...]:
    """Return the registered workers, the longest registered first."""
    rows = _rows("worker_heartbeats", orphaned_after=plain_orphaned_after())
    return tuple(_worker_heartbeat(row) for row in rows)


def list_failures() -> tuple[QueueFailures, ...]:
    """Return the queues whose jobs failed for good within 24 hours."""
    rows = _rows("failures_by_queue", at_most=MOST_FAILURES_COUNTED)
    return tuple(QueueFailures(**row) for row in rows)


def read_connection_use() -> ConnectionUse:
    """Return the open connections beside the limit that is nearest, the plan's or the server's."""
    (row,) = _rows("connection_use", plan_limit=queue_settings().connection_limit)
    return ConnectionUse(**row)


def read_oldest_transaction() -> OpenTransaction | None:
    """Return the oldest transaction that keeps dead rows from being cleaned up, but for this session's."""
    rows = _rows("oldest_transaction")
    return OpenTransaction(**rows[0]) if rows else None


def read_progress() -> Progress:
    """Return what was deferred and what ended, without counting rows that are long finished."""
    (row,) = _rows("progress_counts", outcomes=[outcome.value for outcome in Outcome])
    ended = json.loads(row.pop("ended_lately"))
    return Progress(**row, ended_lately={outcome.value: ended.get(outcome.value, 0) for outcome in Outcome})


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
    orphaned_after = plain_orphaned_after()
    rows = _rows("job_facts", job_id=job_id, now=now, orphaned_after=orphaned_after)
    job = JobFacts(**rows[0]) if rows else None
    workers = _worker_facts(job, orphaned_after=orphaned_after) if job else ()
    return explain(job_id, job, workers, rescue_every=queue_settings().rescue_every)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownTaskInfo:
    """A task that no living worker knows: how many of its jobs could run and wait, and since when."""

    task_name: str
    jobs: int
    since: datetime
    known_by_release: str


def list_unknown_tasks() -> tuple[UnknownTaskInfo, ...]:
    """Return the tasks of ready jobs that no living worker knows, by name."""
    rows = _rows("unknown_tasks", orphaned_after=queue_settings().orphaned_after)
    return tuple(UnknownTaskInfo(**row) for row in rows)


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
    clock = now or database_now()
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


def _worker_heartbeat(row: dict[str, Any]) -> WorkerHeartbeat:
    queues = row.pop("queues")
    return WorkerHeartbeat(**row, queues=None if queues is None else tuple(json.loads(queues) or ()) or None)


def _worker_facts(job: JobFacts, *, orphaned_after: timedelta) -> tuple[WorkerFacts, ...]:
    rows = _rows(
        "worker_facts", queue=job.queue_name, task=job.task_name, now=job.now, orphaned_after=orphaned_after
    )
    return tuple(WorkerFacts(**row) for row in rows)


def _schedule_info(schedule: Schedule, row: dict[str, Any], *, now: datetime) -> ScheduleInfo:
    next_at, overdue_since, problem = None, None, ""
    try:
        next_at = schedule.cron.next_after(now)
        overdue_since = _overdue_since(schedule, row, now=now)
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
        overdue_since=overdue_since,
        last_tick_at=tick_at,
        last_deferred_at=deferred_at,
        lateness=deferred_at - tick_at if tick_at and deferred_at else None,
        last_job_id=row.get("last_job_id"),
        missed_count=row.get("missed_count", 0),
        problem=problem,
        disabled_at=row.get("disabled_at"),
        disabled_by=row.get("disabled_by", ""),
        disable_reason=row.get("disable_reason", ""),
    )


def _overdue_since(schedule: Schedule, row: dict[str, Any], *, now: datetime) -> datetime | None:
    """Return the first tick that is due; None also for a schedule that no worker has seen yet."""
    since = json.loads(row.get("known_since", "{}")).get(schedule.definition)
    if since is None or row["disabled_at"] is not None:
        return None
    floor = max(datetime.fromisoformat(since), row["last_tick_at"] or _LONG_AGO)
    due_at = schedule.cron.next_after(floor)
    return due_at if due_at is not None and due_at <= now else None


def _rows(name: str, **parameters: object) -> list[dict[str, Any]]:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    return connector.execute_query_all(statement(name), **parameters)
