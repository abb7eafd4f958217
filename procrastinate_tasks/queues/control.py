"""Limiting queues, and the rules that are in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import QueueLimit, Rate, find_limit_problem, project_name, queue_settings
from procrastinate_tasks.database import Question, ask, database_alias, fetch_rows, statement
from procrastinate_tasks.exceptions import InvalidQueueLimit, UnknownQueue
from procrastinate_tasks.models import QueueRule

DECLARE_LIMITS = statement("queues/declare_limits")
LIFT_LIMITS = statement("queues/lift_limits")


def limit_queue(*, queue: str, rate: Rate | None = None, concurrency: int | None = None) -> None:
    """Limit a queue on all workers together, instead of what the settings say; at once, through restarts.

    Without any limit the settings hold again; where they have none, what another project's settings say.

    Args:
        rate: how many of its jobs may start within a period.
        concurrency: how many of its jobs run at a time; more that run already finish.

    Raises:
        InvalidQueueLimit: a limit that nothing could keep.
        UnknownQueue: no task, job or limit names this queue.
    """
    wanted = QueueLimit(rate=rate, concurrency=concurrency)
    problem = find_limit_problem(wanted)
    if problem:
        raise InvalidQueueLimit(queue, problem)
    require_known_queue(queue)
    is_by_hand = wanted != QueueLimit()
    limit_in_force = wanted if is_by_hand else queue_settings().queue_limits.get(queue, wanted)
    fetch_rows(
        statement("queues/limit_queue"),
        queue=queue,
        rate_limit=limit_in_force.rate and limit_in_force.rate.count,
        rate_period=limit_in_force.rate and limit_in_force.rate.per,
        concurrency_limit=limit_in_force.concurrency,
        by_hand=is_by_hand,
        is_said=limit_in_force != QueueLimit(),
        project="" if is_by_hand else project_name(),
    )


def declare_limits() -> None:
    """Put the limits of the settings in force, as each worker does when it starts."""
    columns = limit_columns(queue_settings().queue_limits, project=project_name())
    fetch_rows(DECLARE_LIMITS, **columns)
    lift_limits()


def lift_limits() -> None:
    """Lift the limits that no living worker declares, where one of their project lives."""
    fetch_rows(LIFT_LIMITS)


def require_known_queue(queue: str) -> None:
    """Refuse a misspelt name.

    Raises:
        UnknownQueue: no task, job or limit names this queue.
    """
    known = list_queue_names()
    if queue not in known:
        raise UnknownQueue(queue, known)


def limit_facts(limit: QueueLimit) -> dict[str, object]:
    """Return a limit as JSON holds it: ``count`` starts per ``seconds``, and ``concurrency``, if limited."""
    facts: dict[str, object] = {}
    if limit.rate is not None:
        facts |= {"count": limit.rate.count, "seconds": limit.rate.per.total_seconds()}
    return facts if limit.concurrency is None else facts | {"concurrency": limit.concurrency}


def limit_columns(limits: Mapping[str, QueueLimit], *, project: str) -> dict[str, Any]:
    """Return the parameters of ``queues/sql/declare_limits.sql``: who declares them, and parallel arrays."""
    rates = [limit.rate for limit in limits.values()]
    return {
        "project": project,
        "queues": list(limits),
        "rate_limits": [rate and rate.count for rate in rates],
        "rate_periods": [rate and rate.per for rate in rates],
        "concurrency_limits": [limit.concurrency for limit in limits.values()],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRuleInfo:
    """What holds a queue back. ``recent_starts`` were made within the rate's period, None without a rate."""

    queue: str
    paused_at: datetime | None
    paused_by: str
    pause_reason: str
    paused_until: datetime | None
    limit: QueueLimit
    limits_by_hand: bool
    recent_starts: int | None
    running: int


def is_paused(queue: str) -> bool:
    """Tell whether a queue is paused: one look at a small table, for a running job that wants to know."""
    rules = QueueRule.objects.using(database_alias())
    return rules.filter(queue_name=queue, paused_at__isnull=False).exists()


def list_queue_rules() -> tuple[QueueRuleInfo, ...]:
    """Return the queues that are paused or limited, by name; settings count once a worker has started."""
    return ask(QUEUE_RULES)


def list_queue_names() -> tuple[str, ...]:
    """Return the queues of registered tasks, declared limits, waiting and past jobs."""
    return ask(QUEUE_NAMES)


def _read_queue_names(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    app.perform_import_paths()
    names = {task.queue for task in app.tasks.values()} | set(queue_settings().queue_limits)
    return tuple(sorted(names | {row["name"] for row in rows}))


QUEUE_NAMES = Question(sql=statement("queues/queue_names"), read=_read_queue_names)


def _read_queue_rules(rows: list[dict[str, Any]]) -> tuple[QueueRuleInfo, ...]:
    return tuple(map(_queue_rule_info, rows))


QUEUE_RULES = Question(sql=statement("queues/queue_rules"), read=_read_queue_rules)


def _queue_rule_info(row: dict[str, Any]) -> QueueRuleInfo:
    rate = Rate(row["rate_limit"], per=row["rate_period"]) if row["rate_limit"] else None
    return QueueRuleInfo(
        queue=row["queue_name"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        paused_until=row["paused_until"],
        limit=QueueLimit(rate=rate, concurrency=row["concurrency_limit"]),
        limits_by_hand=row["limits_by_hand"],
        recent_starts=row["recent_starts"],
        running=row["running"],
    )
