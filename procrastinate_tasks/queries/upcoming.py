"""The next jobs that move money: when each is due, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.descriptions import described_tasks, sums_of
from procrastinate_tasks.queries.money import read_job_of_money

MOST_UPCOMING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class UpcomingJob:
    """A job of the next; without ``due_at`` it only waits for a worker."""

    job_id: int
    task_name: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """The next ``MOST_UPCOMING`` jobs that move money, the first first, and their sums."""

    jobs: tuple[UpcomingJob, ...]
    amounts: tuple[Amount, ...]


def read_upcoming() -> Upcoming | None:
    """Read them in one statement and what the project's hooks take; None without a task that moves money."""
    tasks = [name for name, task in described_tasks().items() if task.moves_money]
    if not tasks:
        return None
    rows = fetch_rows(statement("queries/next_of_money"), tasks=tasks, at_most=MOST_UPCOMING)
    due = [row.pop("due_at") for row in rows]
    jobs = [read_job_of_money(row) for row in rows]
    return Upcoming(
        jobs=tuple(
            UpcomingJob(job_id=job.id, task_name=job.task_name, due_at=at)
            for job, at in zip(jobs, due, strict=True)
        ),
        amounts=sums_of(jobs),
    )
