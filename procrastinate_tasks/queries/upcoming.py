"""The next jobs that move money: when each is due, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate_tasks.database import Question, statement
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


def upcoming() -> Question[Upcoming | None]:
    """Ask for them; None without a task that moves money."""
    tasks = [name for name, task in described_tasks().items() if task.moves_money]
    return Question(
        sql=statement("queries/next_of_money"),
        read=_read_upcoming if tasks else _nothing,
        parameters={"tasks": tasks, "at_most": MOST_UPCOMING},
    )


def _nothing(_rows: list[dict[str, Any]]) -> None:
    return None


def _read_upcoming(rows: list[dict[str, Any]]) -> Upcoming:
    due = [row.pop("due_at") for row in rows]
    jobs = [read_job_of_money(row) for row in rows]
    return Upcoming(
        jobs=tuple(
            UpcomingJob(job_id=job.id, task_name=job.task_name, due_at=at)
            for job, at in zip(jobs, due, strict=True)
        ),
        amounts=sums_of(jobs),
    )
