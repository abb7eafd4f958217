"""The whole queue at one moment: what health checks, metrics, alerts and the dashboard are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate_tasks.database import Question, ask_together
from procrastinate_tasks.queries.queues import FAILED_LATELY, FailedLately, QueueDepth, queue_depths
from procrastinate_tasks.queries.system import ConnectionUse, connection_use
from procrastinate_tasks.queries.workers import WorkerHeartbeat, workers
from procrastinate_tasks.queues.control import QUEUE_RULES, QueueRuleInfo
from procrastinate_tasks.queues.pauses import PAUSES, Pause
from procrastinate_tasks.schedule.state import STATES, ScheduleInfo, schedule_of


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
    """Look at the queue, at a cost that does not grow with the number of finished jobs."""
    return look()[0]


def look(*others: Question[Any]) -> tuple[Snapshot, list[Any]]:
    """Take the snapshot, and ask other questions on the same way."""
    questions = (PAUSES, FAILED_LATELY, queue_depths(), QUEUE_RULES, workers(), STATES, connection_use())
    answers = ask_together(*questions, *others)
    (now, pauses), failed, depths, rules, found, states, connections = answers[: len(questions)]
    snapshot = Snapshot(
        taken_at=now,
        queues=_queue_loads(now, failed, depths, rules),
        workers=found,
        schedule=schedule_of(states, now=now),
        connections=connections,
        failed=failed,
        pauses=pauses,
    )
    return snapshot, answers[len(questions) :]


def _queue_loads(
    now: datetime,
    failed: Sequence[FailedLately],
    found: Sequence[QueueDepth],
    in_force: Sequence[QueueRuleInfo],
) -> tuple[QueueLoad, ...]:
    depths = {depth.queue: depth for depth in found}
    rules = {rule.queue: rule for rule in in_force}
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
