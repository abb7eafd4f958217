"""Whether the jobs that wait still fit this release: asked before its workers start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import execute, fetch_rows, statement
from procrastinate_tasks.tasks_api.fitting import find_misfit
from procrastinate_tasks.tasks_api.results import RUNNER_NAMES

NO_SUCH_TASK = "this release has no task of that name"

_ANNOUNCE_RELEASE = """
-- Tell the workers that live of a release whose own are still to come, and what it knows.
INSERT INTO procrastinate_tasks_release AS known (name, first_seen_at, last_seen_at, tasks)
SELECT %(release)s::text, now(), now(), %(tasks)s::jsonb
WHERE %(release)s::text <> ''
ON CONFLICT (name) DO UPDATE SET tasks = excluded.tasks, last_seen_at = excluded.last_seen_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Waiting jobs of one task that this release cannot call, how many they are, and why."""

    task: str
    jobs: int
    problem: str


def find_misfits() -> tuple[Misfit, ...]:
    """Return what no longer fits, by task; one statement reads the waiting jobs, and no value of theirs."""
    app.perform_import_paths()
    rows = fetch_rows(statement("verification/waiting_shapes"), runner_names=RUNNER_NAMES)
    jobs_by_fault: dict[tuple[str, str], int] = {}
    for task, problem, jobs in _problems_of(rows):
        jobs_by_fault[task, problem] = jobs_by_fault.get((task, problem), 0) + jobs
    return tuple(
        Misfit(task=task, problem=problem, jobs=jobs)
        for (task, problem), jobs in sorted(jobs_by_fault.items())
    )


def announce_release() -> None:
    """Let living workers know that workers of this release are coming, and which tasks those will know."""
    app.perform_import_paths()
    execute(
        _ANNOUNCE_RELEASE,
        release=queue_settings().release,
        tasks=json.dumps(sorted(app.tasks)),
    )


def _problems_of(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    for row in rows:
        problem = _problem_of(row)
        if problem:
            yield row["path"] or row["task_name"], problem, row["jobs"]


def _problem_of(row: Mapping[str, Any]) -> str:
    task = app.tasks.get(row["task_name"])
    if task is None:
        return NO_SUCH_TASK
    if row["names"] is None:
        return "its arguments are no JSON object"
    return find_misfit(task, dict.fromkeys(row["names"]) | _django_call(row))


def _django_call(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stand-in for a Django task's call: as many arguments, of the same names."""
    if row["path"] is None or row["positional"] is None or row["keywords"] is None:
        return {}
    return {
        "django_task": row["path"],
        "args": [None] * row["positional"],
        "kwargs": dict.fromkeys(row["keywords"]),
    }
