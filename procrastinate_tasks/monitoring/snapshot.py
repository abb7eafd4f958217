"""The whole queue at one moment: what health checks, metrics, alerts and the dashboard are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from procrastinate_tasks.database import database_now
from procrastinate_tasks.queries.queues import QueueDepth, QueueFailures, list_failures, list_queue_depths
from procrastinate_tasks.queries.system import ConnectionUse, read_connection_use
from procrastinate_tasks.queries.workers import WorkerHeartbeat, list_workers
from procrastinate_tasks.queues.control import QueueRuleInfo, list_queue_rules
from procrastinate_tasks.schedule.state import ScheduleInfo, list_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad(QueueDepth):
    """A queue's unfinished jobs, its late failures, and what holds it back.

    ``oldest_wait`` is how long the oldest ready job could have run already, ``longest_due`` the same of all
    that are due, those of a paused queue too; ``rule`` is None for a queue that is neither paused nor
    limited.
    """

    oldest_wait: timedelta
    longest_due: timedelta
    failed_last_hour: int
    failed_last_day: int
    rule: QueueRuleInfo | None

    @property
    def is_paused(self) -> bool:
        return self.rule is not None and self.rule.paused_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The queue at ``taken_at``, by the database's clock.

    ``queues`` are those with unfinished jobs, recent failures or a rule, by name; ``schedule`` lists the
    schedules of this process's code, the next to run first.
    """

    taken_at: datetime
    queues: tuple[QueueLoad, ...]
    workers: tuple[WorkerHeartbeat, ...]
    schedule: tuple[ScheduleInfo, ...]
    connections: ConnectionUse

    @property
    def living_workers(self) -> tuple[WorkerHeartbeat, ...]:
        return tuple(worker for worker in self.workers if worker.is_alive)


def take_snapshot() -> Snapshot:
    """Look at the queue, in seven statements whose cost does not grow with the number of finished jobs."""
    now = database_now()
    return Snapshot(
        taken_at=now,
        queues=_queue_loads(now),
        workers=list_workers(),
        schedule=list_schedule(now),
        connections=read_connection_use(),
    )


def _queue_loads(now: datetime) -> tuple[QueueLoad, ...]:
    depths = {depth.queue: depth for depth in list_queue_depths()}
    failures = {failed.queue: failed for failed in list_failures()}
    rules = {rule.queue: rule for rule in list_queue_rules()}
    return tuple(
        _queue_load(depths.get(name) or _empty(name), failures.get(name), rules.get(name), now=now)
        for name in sorted({*depths, *failures, *rules})
    )


def _queue_load(
    depth: QueueDepth, failures: QueueFailures | None, rule: QueueRuleInfo | None, *, now: datetime
) -> QueueLoad:
    longest_due = max(now - depth.oldest_due_at, timedelta(0)) if depth.oldest_due_at else timedelta(0)
    return QueueLoad(
        **asdict(depth),
        oldest_wait=longest_due if depth.ready else timedelta(0),
        longest_due=longest_due,
        failed_last_hour=failures.last_hour if failures else 0,
        failed_last_day=failures.last_day if failures else 0,
        rule=rule,
    )


def _empty(queue: str) -> QueueDepth:
    return QueueDepth(
        queue=queue,
        ready=0,
        paused=0,
        scheduled=0,
        to_be_retried=0,
        running=0,
        orphaned=0,
        oldest_due_at=None,
    )
