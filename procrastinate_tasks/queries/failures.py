"""The failures page's questions: which faults struck which tasks, and which jobs a fault struck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procrastinate_tasks.database import fetch_row, fetch_rows, statement
from procrastinate_tasks.formatting import MOST_COUNTED

MOST_GROUPS = 200
JOBS_PER_PAGE = 50
HOURS = 24
MOST_NEW = 100

NEW_FAULTS = statement("queries/new_faults")

_STRUCK_BY = """
-- What a searched term is of the errors there were.
SELECT CASE
    WHEN EXISTS (
        SELECT FROM procrastinate_jobs
        WHERE (lock = %(term)s OR queueing_lock = %(term)s) AND status IN ('todo', 'doing')
    ) THEN ''
    WHEN EXISTS (
        SELECT FROM procrastinate_tasks_jobattempt WHERE exception_class > '' AND fingerprint = %(term)s
    ) THEN 'fingerprint'
    WHEN EXISTS (
        SELECT FROM procrastinate_tasks_jobattempt
        WHERE exception_class > '' AND strpos(lower(exception_class || ': ' || message), lower(%(term)s)) > 0
    ) THEN 'error'
    ELSE ''
END AS struck_by
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKey:
    """An error of one task from one place of its code; without a ``fingerprint`` its worker was lost."""

    task_name: str
    fingerprint: str
    exception_class: str

    @property
    def exception_name(self) -> str:
        return self.exception_class.rpartition(".")[2] or self.exception_class


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup(FaultKey):
    """The jobs that a fault struck, at ``now``, each once in each time; counts stop after ``MOST_COUNTED``.

    ``message``, ``traceback``, ``release`` and ``last_job_id`` are those of the latest run. A fault
    ``is_muted`` until a release has it that was first seen after ``muted_at``, and ``is_new`` if the newest
    release brought it.
    """

    last_hour: int
    last_day: int
    last_week: int
    total: int
    first_seen_at: datetime
    first_release: str
    last_seen_at: datetime
    release: str
    message: str
    traceback: str
    last_job_id: int
    muted_at: datetime | None
    muted_by: str
    mute_reason: str
    is_muted: bool
    is_new: bool
    now: datetime

    @property
    def first_line(self) -> str:
        return next(iter(self.message.splitlines()), "")

    def says(self, text: str) -> bool:
        """Whether a searched text is its fingerprint, or in its error."""
        return (
            text == self.fingerprint or text.casefold() in f"{self.exception_class} {self.message}".casefold()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StruckJob:
    """A job that a fault struck, with its last such run; ``status`` is None once the job was pruned."""

    run_id: int
    job_id: int
    attempt: int
    outcome: str
    release: str
    finished_at: datetime
    status: str | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFault(FaultKey):
    """A fault that the newest ``release`` brought, and how many jobs it struck in 24 hours."""

    release: str
    jobs: int


def list_failure_groups(task: str = "") -> tuple[FailureGroup, ...]:
    """Return the faults, the latest first: of the first ``MOST_GROUPS`` by name."""
    return _groups(task=task or None, fingerprint=None, exception_class=None, most_groups=MOST_GROUPS)


def find_failure_group(key: FaultKey) -> FailureGroup | None:
    """Return one fault; None once its runs were pruned."""
    found = _groups(
        task=key.task_name,
        fingerprint=key.fingerprint,
        exception_class=key.exception_class,
        most_groups=1,
    )
    return found[0] if found else None


def _groups(**wanted: object) -> tuple[FailureGroup, ...]:
    rows = fetch_rows(statement("queries/failure_groups"), at_most=MOST_COUNTED + 1, **wanted)
    return tuple(FailureGroup(**row) for row in rows)


def list_struck_jobs(
    key: FaultKey, *, since: datetime | None, before: int | None = None
) -> tuple[StruckJob, ...]:
    """Return a page of the jobs that a fault struck, and one more where there is another page."""
    rows = fetch_rows(
        statement("queries/jobs_of_fault"),
        **_parameters(key),
        since=since,
        before=before,
        at_most=JOBS_PER_PAGE + 1,
    )
    return tuple(StruckJob(**row) for row in rows)


def count_by_hour(key: FaultKey) -> tuple[int, ...]:
    """Return the runs that a fault ended in each of the last 24 hours, the oldest first."""
    counts = [0] * HOURS
    for row in fetch_rows(statement("queries/hours_of_fault"), **_parameters(key)):
        counts[min(max(row["hour"], 0), HOURS - 1)] += row["runs"]
    return tuple(counts)


def find_struck_by(term: str) -> str:
    """Tell whether a term is a ``fingerprint`` of a kept run, or in an ``error``; nothing if it is neither.

    A term that is a lock of an unfinished job is meant as one.
    """
    found: str = fetch_row(_STRUCK_BY, term=term)["struck_by"]
    return found


def list_new_faults() -> tuple[NewFault, ...]:
    """Return what the newest release brought, the worst first; as the roll-up knows it, minutes later."""
    return tuple(NewFault(**row) for row in fetch_rows(NEW_FAULTS, at_most=MOST_NEW))


def _parameters(key: FaultKey) -> dict[str, object]:
    return {"task": key.task_name, "fingerprint": key.fingerprint, "exception_class": key.exception_class}
