"""Claims as a worker of ours makes them, without its process: the statement on Django's own connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from procrastinate.contrib.django import app
from psycopg.types.json import Jsonb

from procrastinate_tasks.database import statement


def register_worker(
    *,
    queues: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
    capacity: int = 4,
    orphaned_after: timedelta = timedelta(seconds=30),
    release: str = "",
    project: str = "",
    code: str = "",
    limits: Sequence[str] = (),
) -> int:
    """Register a worker that lives until its heartbeat is too old."""
    rows = run(
        "worker/register_worker",
        host="here",
        pid=1,
        release=release,
        project=project,
        code=code,
        limits=json.dumps(limits),
        queues=None if queues is None else json.dumps(queues),
        tasks=json.dumps(sorted(app.tasks) if tasks is None else tasks),
        capacity=capacity,
        max_memory_bytes=None,
        orphaned_after=orphaned_after,
    )
    return int(rows[0][0])


def claim(
    slots: int = 10,
    *,
    queues: list[str] | None = None,
    worker_id: int | None = None,
    tasks: Sequence[str] | None = None,
) -> list[int]:
    """Claim up to so many jobs and return their ids; by default of each task that this process knows."""
    rows = run(
        "worker/claim_jobs",
        queues=queues,
        worker_id=worker_id,
        slots=slots,
        tasks=known(tasks),
        **NOTHING_PASSED,
    )
    return [row[0] for row in rows]


NOTHING_PASSED: dict[str, list[Any]] = {"past_queues": [], "past_priorities": [], "past_ids": []}


def known(tasks: Sequence[str] | None = None) -> Jsonb:
    """Return the names of tasks as the statements take them."""
    return Jsonb(dict.fromkeys(app.tasks if tasks is None else tasks, 1))


def look_ahead(*queues: str) -> tuple[float | None, bool]:
    """Return what ``worker/sql/next_due.sql`` answers: seconds to the next job, and whether one is ready."""
    ((seconds, has_ready),) = run("worker/next_due", queues=list(queues) or None, tasks=known())
    return seconds, has_ready


def run(name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement(name), parameters)
        return list(cursor.fetchall())


def execute(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
