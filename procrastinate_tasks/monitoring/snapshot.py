"""The whole queue at one moment: what health checks, metrics, alerts and the dashboard are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from procrastinate_tasks.queries.queues import (
    FailedLately,
    QueueDepth,
    list_failed_lately,
    list_queue_depths,
)
from procrastinate_tasks.queries.system import ConnectionUse, read_connection_use
from procrastinate_tasks.queries.workers import WorkerHeartbeat, list_workers
from procrastinate_tasks.queues.control import QueueRuleInfo, list_queue_rules
from procrastinate_tasks.queues.pauses import Pause, read_pauses
from procrastinate_tasks.schedule.state import ScheduleInfo, list_schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad(QueueDepth):
    """A queue's unfinished jobs, its late failures, and what holds it back.

    ``oldest_wait`` is how long the oldest ready job could have run already, ``longest_due`` the same of all
    that are due, blocked and paused ones too; ``rule`` is None for a queue that is neither paused nor
    limited.
    """

    oldest_wait: timedelta = timedelta(0)
    longest_due: timedelta = timedelta(0)
    failed_last_hour: int = 0
    failed_last_day: int = 0
    rule: QueueRuleInfo | None = None

    @property
    def is_paused(self) -> bool:
        return self.rule is not None and self.rule.paused_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The queue at ``taken_at``, by the database's clock.

    ``queues`` are those with unfinished jobs, recent failures or a rule, by name; ``failed`` is what failed
    lately and was not mended; ``schedule`` lists the schedules of this process's code, the next to run first.
    """

    taken_at: datetime
    queues: tuple[QueueLoad, ...]
    workers: tuple[WorkerHeartbeat, ...]
    schedule: tuple[ScheduleInfo, ...]
    connections: ConnectionUse
    failed: tuple[FailedLately, ...] = ()
    pauses: tuple[Pause, ...] = ()

    @property
    def living_workers(self) -> tuple[WorkerHeartbeat, ...]:
        return tuple(worker for worker in self.workers if worker.is_alive)


def take_snapshot() -> Snapshot:
    """Look at the queue, in seven statements whose cost does not grow with the number of finished jobs."""
    now, pauses = read_pauses()
    failed = list_failed_lately()
    return Snapshot(
        taken_at=now,
        queues=_queue_loads(now, failed),
        workers=list_workers(),
        schedule=list_schedule(now),
        connections=read_connection_use(),
        failed=failed,
        pauses=pauses,
    )


def _queue_loads(now: datetime, failed: Sequence[FailedLately]) -> tuple[QueueLoad, ...]:
    depths = {depth.queue: depth for depth in list_queue_depths()}
    rules = {rule.queue: rule for rule in list_queue_rules()}
    names = {*depths, *rules, *(item.queue for item in failed if item.last_day)}
    return tuple(
        _queue_load(
            depths.get(name) or QueueDepth(queue=name),
            [item for item in failed if item.queue == name],
            rules.get(name),
            now=now,
        )
        for name in sorted(names)
    )


def _queue_load(
    depth: QueueDepth, failed: Sequence[FailedLately], rule: QueueRuleInfo | None, *, now: datetime
) -> QueueLoad:
    return QueueLoad(
        **asdict(depth),
        oldest_wait=_since(depth.oldest_ready_at, now=now),
        longest_due=_since(depth.oldest_due_at, now=now),
        failed_last_hour=sum(item.last_hour for item in failed),
        failed_last_day=sum(item.last_day for item in failed),
        rule=rule,
    )


def _since(at: datetime | None, *, now: datetime) -> timedelta:
    return max(now - at, timedelta(0)) if at else timedelta(0)
