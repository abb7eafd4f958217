"""Pausing queues and single tasks, for good or until a time, and the pauses that are in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString

from procrastinate.contrib.django import app

from procrastinate_tasks.database import Question, ask, atomic, database_now, fetch_row, fetch_rows, statement
from procrastinate_tasks.exceptions import AlreadyOver
from procrastinate_tasks.jobs.deferring import find_task
from procrastinate_tasks.queues.control import require_known_queue

_LONGEST_PERSON = 150
_LONGEST_REASON = 2000

_PAUSE_TASK = """
-- Pause a task; one that is paused stays paused by whom and since when it was. Answers whether this was news.
WITH paused AS (
    INSERT INTO procrastinate_tasks_taskpause (task_name, paused_by, pause_reason, paused_until)
    VALUES (%(name)s, %(by)s, %(reason)s, %(until)s)
    ON CONFLICT (task_name) DO NOTHING
    RETURNING task_name
)
SELECT count(*) = 1 AS changed FROM paused
"""

_RESUME_TASK = """
-- Resume a paused task and wake the workers of the queues in which its jobs wait. Was it paused?
WITH resumed AS (
    DELETE FROM procrastinate_tasks_taskpause WHERE task_name = %(name)s RETURNING task_name
),
woken AS (
    SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) AS queues
    FROM (
        SELECT DISTINCT job.queue_name
        FROM resumed
        JOIN procrastinate_jobs AS job ON job.task_name = resumed.task_name AND job.status = 'todo'
    ) AS waiting
)
SELECT count(*) = 1 AS changed FROM resumed CROSS JOIN woken
"""

_LAPSED = """
-- The pauses whose time is over, by their kind and name.
SELECT 'queue' AS kind, queue_name AS name FROM procrastinate_tasks_queuerule WHERE paused_until <= now()
UNION ALL
SELECT 'task', task_name FROM procrastinate_tasks_taskpause WHERE paused_until <= now()
"""

_PAUSES = """
-- What time it is, and what is paused, since when, by whom, why and until when: queues first, by name.
SELECT
    clock_timestamp() AS now,
    (
        SELECT coalesce(jsonb_agg(pause ORDER BY kind, name), '[]')
        FROM (
            SELECT
                'queue' AS kind, queue_name AS name, paused_at, paused_by, pause_reason AS reason,
                paused_until
            FROM procrastinate_tasks_queuerule
            WHERE paused_at IS NOT NULL
            UNION ALL
            SELECT 'task', task_name, paused_at, paused_by, pause_reason, paused_until
            FROM procrastinate_tasks_taskpause
        ) AS pause
    )::text AS pauses
"""


class PauseKind(StrEnum):
    """What a pause holds back: the jobs of a queue, or those of a task on whatever queue."""

    QUEUE = "queue"
    TASK = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A queue or a task that is paused; without ``paused_until`` it ends by hand only."""

    kind: PauseKind
    name: str
    paused_at: datetime
    paused_by: str
    reason: str
    paused_until: datetime | None


def pause_queue(*, queue: str, by: str, reason: str = "", until: datetime | None = None) -> bool:
    """Let no worker of ours start another job of a queue, until it is resumed; running jobs finish.

    It holds from the moment the current transaction commits, and through every restart.

    Args:
        by: who pauses, as colleagues know them.
        until: when it ends by itself; a living worker sees to that within a second or two.

    Returns:
        False when the queue was paused already; by whom, why and until when stays as it was.

    Raises:
        UnknownQueue: no task, job or limit names this queue.
        AlreadyOver: ``until`` has passed.
        ValueError: nobody is named.
    """
    require_known_queue(queue)
    return _pause(statement("queues/pause_queue"), name=queue, by=by, reason=reason, until=until)


def pause_task(*, task: str, by: str, reason: str = "", until: datetime | None = None) -> bool:
    """Let no worker of ours start another job of a task, as ``pause_queue`` does with a queue.

    Other tasks of its queues go on. A job that waits for the lock of a paused one waits on: the order of a
    lock is kept.

    Raises:
        UnknownTask: this process knows no such task.
        AlreadyOver: ``until`` has passed.
        ValueError: nobody is named.
    """
    return _pause(_PAUSE_TASK, name=_known_task(task), by=by, reason=reason, until=until)


def resume_queue(*, queue: str) -> bool:
    """Let workers start the jobs of a paused queue again, at once; False when it was not paused.

    Raises:
        UnknownQueue: no task, job or limit names this queue.
    """
    require_known_queue(queue)
    return _changed(statement("queues/resume_queue"), name=queue)


def resume_task(*, task: str) -> bool:
    """Let workers start the jobs of a paused task again, at once; False when it was not paused.

    A task that the code has no more can be resumed all the same.
    """
    return _changed(_RESUME_TASK, name=task)


def end_lapsed_pauses() -> int:
    """Resume what was paused until a time that has come; return how many."""
    resume = {PauseKind.QUEUE: statement("queues/resume_queue"), PauseKind.TASK: _RESUME_TASK}
    with atomic():
        lapsed = fetch_rows(_LAPSED)
        return sum(_changed(resume[PauseKind(row["kind"])], name=row["name"]) for row in lapsed)


def list_pauses() -> tuple[Pause, ...]:
    """Return what is paused, in one look at two small tables."""
    return ask(PAUSES)[1]


def _read_pauses(rows: list[dict[str, Any]]) -> tuple[datetime, tuple[Pause, ...]]:
    (row,) = rows
    return row["now"], tuple(map(_pause_of, json.loads(row["pauses"])))


PAUSES = Question(sql=_PAUSES, read=_read_pauses)
"""What time it is, by the clock that every process shares, and what is paused."""


def _pause_of(facts: dict[str, str]) -> Pause:
    until = facts["paused_until"]
    return Pause(
        kind=PauseKind(facts["kind"]),
        name=facts["name"],
        paused_at=datetime.fromisoformat(facts["paused_at"]),
        paused_by=facts["paused_by"],
        reason=facts["reason"],
        paused_until=datetime.fromisoformat(until) if until else None,
    )


def _known_task(name: str) -> str:
    app.perform_import_paths()
    return find_task(name).name


def _pause(sql: LiteralString, *, name: str, by: str, reason: str, until: datetime | None) -> bool:
    if not by.strip():
        raise ValueError("A pause needs a name: by whom?")
    if until is not None and until <= database_now():
        raise AlreadyOver(until)
    person, why = by.strip()[:_LONGEST_PERSON], reason[:_LONGEST_REASON]
    return _changed(sql, name=name, by=person, reason=why, until=until)


def _changed(sql: LiteralString, **parameters: object) -> bool:
    changed: bool = fetch_row(sql, **parameters)["changed"]
    return changed
