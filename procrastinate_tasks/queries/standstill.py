"""What would stand still while a queue or a task is paused: by task, with the money that hangs on it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from procrastinate.contrib.django import app

from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.descriptions import sums_of
from procrastinate_tasks.queries.money import JobOfMoney, money_tasks, read_job_of_money

MOST_SUMMED = 10_000

_OF_MONEY = """
-- The jobs that a pause would hold back within a day, of the tasks that are about money: at most so many.
SELECT job.id, job.task_name, job.args::text AS args
FROM procrastinate_jobs AS job
WHERE job.status = 'todo'
  AND (%(queue)s::text IS NULL OR job.queue_name = %(queue)s)
  AND (%(task)s::text IS NULL OR job.task_name = %(task)s)
  AND job.task_name = ANY(%(money)s)
  AND (job.scheduled_at IS NULL OR job.scheduled_at <= now() + interval '24 hours')
LIMIT %(at_most)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingTask:
    """A task's jobs that are due, that fall due within 24 hours, and the money of both."""

    task_name: str
    due: int
    within_a_day: int
    amounts: tuple[Amount, ...]


def list_standstill(*, queue: str | None = None, task: str | None = None) -> tuple[StandingTask, ...]:
    """Return the tasks that a pause would hold back, by name, those included that wait for nothing now."""
    counted = {
        row["task_name"]: row for row in fetch_rows(statement("queries/standstill"), queue=queue, task=task)
    }
    sums = _sums(queue=queue, task=task)
    return tuple(
        StandingTask(
            task_name=name,
            due=counted[name]["due"] if name in counted else 0,
            within_a_day=counted[name]["within_a_day"] if name in counted else 0,
            amounts=sums.get(name, ()),
        )
        for name in sorted({*counted, *_registered(queue=queue, task=task)})
    )


def _registered(*, queue: str | None, task: str | None) -> set[str]:
    app.perform_import_paths()
    return {
        each.name
        for each in app.tasks.values()
        if (task or each.name) == each.name and (queue or each.queue) == each.queue
    }


def _sums(*, queue: str | None, task: str | None) -> dict[str, tuple[Amount, ...]]:
    jobs: dict[str, list[JobOfMoney]] = defaultdict(list)
    for row in fetch_rows(_OF_MONEY, queue=queue, task=task, money=money_tasks(), at_most=MOST_SUMMED):
        jobs[row["task_name"]].append(read_job_of_money(row))
    return {name: sums_of(found) for name, found in jobs.items()}
