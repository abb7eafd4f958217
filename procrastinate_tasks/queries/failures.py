"""The failures page's questions: which faults struck which tasks, and which jobs a fault struck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.formatting import MOST_COUNTED

MOST_GROUPS = 200
MOST_JOBS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """The failed runs of a task by one fault, at ``now``; counts stop after ``MOST_COUNTED``.

    ``message``, ``release`` and ``last_job_id`` are those of the latest. Without a ``fingerprint`` nothing is
    known of where it came from: the worker was lost.
    """

    task_name: str
    fingerprint: str
    exception_class: str
    last_hour: int
    last_day: int
    last_week: int
    total: int
    first_seen_at: datetime
    last_seen_at: datetime
    release: str
    message: str
    last_job_id: int
    now: datetime

    @property
    def exception_name(self) -> str:
        return self.exception_class.rpartition(".")[2]

    @property
    def first_line(self) -> str:
        return next(iter(self.message.splitlines()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class StruckJob:
    """A job that a fault struck, with its last such run; ``status`` is None once the job was pruned."""

    job_id: int
    attempt: int
    outcome: str
    message: str
    release: str
    finished_at: datetime
    status: str | None
    now: datetime


def list_failure_groups(task: str = "") -> tuple[FailureGroup, ...]:
    """Return the faults, the latest first: of the first ``MOST_GROUPS`` by name."""
    rows = fetch_rows(
        statement("queries/failure_groups"),
        task=task or None,
        most_groups=MOST_GROUPS,
        at_most=MOST_COUNTED + 1,
    )
    return tuple(FailureGroup(**row) for row in rows)


def list_struck_jobs(group: FailureGroup, *, since: datetime | None) -> tuple[StruckJob, ...]:
    """Return the jobs behind the latest ``MOST_JOBS`` runs of a group."""
    rows = fetch_rows(
        statement("queries/jobs_of_fault"),
        task=group.task_name,
        fingerprint=group.fingerprint,
        exception_class=group.exception_class,
        since=since,
        at_most=MOST_JOBS,
    )
    return tuple(StruckJob(**row) for row in rows)
