"""What can be asked of one job: its row, its attempts, and what happened to it, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from procrastinate.contrib.django import app
from procrastinate.retry import RetryStrategy

from procrastinate_tasks.database import Question, ask, ask_together, fetch_rows
from procrastinate_tasks.formatting import count_in_words, duration_in_words
from procrastinate_tasks.jobs.arguments import arguments_to_show, value_to_show
from procrastinate_tasks.jobs.log_lines import MOST_RUNS
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.states import JobState
from procrastinate_tasks.models import JobLog, JobProgress, Outcome
from procrastinate_tasks.queries.jobs import JobQuery, JobRow, newest_jobs

MOST_EVENTS = 200


MOST_ATTEMPTS = 50


MOST_WITH_ITS_LOCK = 5


MOST_AUDITED = 20


_MOST_SHOWN = 10**15

_SAME_LOCK = """
-- Who else has a job's lock: the one that runs with it, then those that wait for it, in the order of their
-- claim.
SELECT job.id, job.task_name, job.args, job.status = 'doing' AS runs
FROM procrastinate_jobs AS job
WHERE job.lock = %(lock)s
  AND job.status IN ('todo', 'doing')
  AND job.id <> %(job_id)s
ORDER BY job.status = 'doing' DESC, job.priority DESC, job.id
LIMIT %(limit)s
"""


_EVENTS = """
-- A job's latest events, the latest first. One of them may be of any instant: when it is due.
SELECT type::text AS type, procrastinate_tasks_readable_v1(at) AS at
FROM procrastinate_events
WHERE job_id = %(job_id)s AND at IS NOT NULL
ORDER BY id DESC
LIMIT %(at_most)s
"""


_ATTEMPTS = """
-- A job's latest attempts, the latest first. The result is text: not all that Postgres holds is read here.
SELECT
    id, task_name, attempt, worker_id, host, release, started_at, finished_at, outcome,
    result::text AS result, exception_class, message, traceback, fingerprint
FROM procrastinate_tasks_jobattempt
WHERE job_id = %(job_id)s
ORDER BY id DESC
LIMIT %(at_most)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a job, as it is shown; ``result`` is what it returned, as JSON."""

    id: int
    task_name: str
    attempt: int
    worker_id: int | None
    host: str
    release: str
    started_at: datetime
    finished_at: datetime
    outcome: str
    result: object
    exception_class: str
    message: str
    traceback: str
    fingerprint: str

    @property
    def outcome_label(self) -> str:
        labels = {outcome.value: outcome.label for outcome in Outcome}
        return str(labels.get(self.outcome, self.outcome))


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSharer:
    """Another unfinished job with the same lock; ``runs`` when it is the one that has it."""

    id: int
    task_name: str
    args: Mapping[str, object] = field(repr=False)
    runs: bool


def look_at(job_id: int, *others: Question[Any]) -> list[Any]:
    """Return a job if it is kept, its attempts and events, and the answers to other questions."""
    number = min(job_id, 2**63 - 1)
    row = newest_jobs(JobQuery(ids=(number,)))
    page, *answers = ask_together(row, attempts_of(number), _events(number), *others)
    return [next(iter(page.rows), None), *answers]


def list_events(job_id: int) -> tuple[Event, ...]:
    """Return a job's latest events, the oldest first."""
    return ask(_events(job_id))


def _events(job_id: int) -> Question[tuple[Event, ...]]:
    return Question(sql=_EVENTS, read=_read_events, parameters={"job_id": job_id, "at_most": MOST_EVENTS})


def _read_events(rows: list[dict[str, Any]]) -> tuple[Event, ...]:
    return tuple(Event(**row) for row in reversed(rows))


def list_attempts(job_id: int, *, at_most: int = MOST_ATTEMPTS) -> list[Attempt]:
    """Return a job's latest attempts, the latest first; they outlive the job for a while."""
    return ask(attempts_of(job_id, at_most=at_most))


def attempts_of(job_id: int, *, at_most: int = MOST_ATTEMPTS) -> Question[list[Attempt]]:
    """Ask for a job's latest attempts."""
    return Question(sql=_ATTEMPTS, read=_read_attempts, parameters={"job_id": job_id, "at_most": at_most})


def _read_attempts(rows: list[dict[str, Any]]) -> list[Attempt]:
    return [Attempt(**{**row, "result": _result_of(row["result"])}) for row in rows]


def _result_of(text: str | None) -> object:
    return None if text is None else value_to_show(text)


def list_lock_sharers(row: JobRow) -> tuple[LockSharer, ...]:
    """Return the unfinished jobs with a job's lock, the one that has it first."""
    if row.lock is None or row.status not in ("todo", "doing"):
        return ()
    rows = fetch_rows(_SAME_LOCK, lock=row.lock, job_id=row.id, limit=MOST_WITH_ITS_LOCK + 1)
    return tuple(LockSharer(**{**row, "args": arguments_to_show(row["args"])}) for row in rows)


def find_progress(job_id: int) -> JobProgress | None:
    """Return how far a job said it has come, if it ever did."""
    return JobProgress.objects.filter(job_id=job_id).first()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOfRun:
    """The last lines that one run logged, of which those before were ``left_out``."""

    attempt: int
    at: datetime
    left_out: int
    text: str


def list_logs(job_id: int) -> tuple[LogOfRun, ...]:
    """Return the last lines of a job's latest runs that logged something, the latest run first."""
    found = JobLog.objects.filter(job_id=job_id).order_by("-id")[:MOST_RUNS]
    return tuple(
        LogOfRun(
            attempt=log.attempt,
            at=log.at,
            left_out=log.left_out,
            text="\n".join(_line_in_words(line) for line in log.lines),
        )
        for log in found
    )


def _line_in_words(line: Mapping[str, Any]) -> str:
    at = timezone.localtime(datetime.fromtimestamp(line["at"], UTC))
    said = " ".join(filter(None, (line["level"], line["logger"])))
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {said}: {line['text']}"


def progress_in_words(progress: JobProgress) -> str:
    """Return progress as people read it: ``812 of 1,000 (81 %): sending``."""
    done, total = progress.done, progress.total
    words = _count(done)
    if total is not None:
        share = number_format(round(100 * done / total) if total and isfinite(done / total) else 0)
        words = _("%(done)s of %(total)s (%(share)s %%)") % {
            "done": words,
            "total": _count(total),
            "share": share,
        }
    return f"{words}: {progress.text}" if progress.text else words


def _count(number: float) -> str:
    return count_in_words(round(number), most=_MOST_SHOWN) if isfinite(number) else "–"


_WAITS = (JobState.READY, JobState.BLOCKED, JobState.PAUSED)


_RUNS = (JobState.RUNNING, JobState.ORPHANED)


_IS_DUE_LATER = (JobState.SCHEDULED, JobState.RETRYING)


def moment_of_interest(row: JobRow) -> datetime | None:
    """Return since when a job waits, when it is due, when it started, or when it ended."""
    if row.state in _IS_DUE_LATER:
        return row.scheduled_at
    if row.state in _WAITS:
        moments = (row.changed_at, row.scheduled_at)
        return max((moment for moment in moments if moment is not None), default=None)
    return row.started_at if row.state in _RUNS else row.changed_at


def most_attempts(task_name: str) -> int | None:
    """Return how often a task is tried at most; None if it is not known."""
    task = app.tasks.get(task_name)
    strategy = task.retry_strategy if task else None
    if isinstance(strategy, Retries):
        return strategy.max_retries + 1
    if isinstance(strategy, RetryStrategy) and strategy.max_attempts:
        return strategy.max_attempts + 1
    return 1 if task and strategy is None else None


_LABELS: Mapping[str, str | Promise] = {
    "deferred": gettext_lazy("Deferred"),
    "scheduled": gettext_lazy("Due"),
    "started": gettext_lazy("Started"),
    "deferred_for_retry": gettext_lazy("Failed, to be retried"),
    "failed": gettext_lazy("Failed"),
    "succeeded": gettext_lazy("Succeeded"),
    "cancelled": gettext_lazy("Cancelled"),
    "abort_requested": gettext_lazy("Asked to stop"),
    "aborted": gettext_lazy("Stopped"),
    "retried": gettext_lazy("Let wait again, by hand"),
}


_ICONS: Mapping[str, str] = {
    "deferred": "ready",
    "scheduled": "scheduled",
    "started": "running",
    "deferred_for_retry": "retrying",
    "failed": "failed",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "abort_requested": "aborted",
    "aborted": "aborted",
    "retried": "retrying",
}


_RUN_ENDS = ("deferred_for_retry", "failed", "succeeded", "aborted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    type: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An event in words; ``lasted`` tells what it took to come to it. ``run`` counts the starts."""

    label: str
    icon: str
    at: datetime
    lasted: str = ""
    run: int = 0


def steps_of(events: Iterable[Event]) -> tuple[Step, ...]:
    """Turn events, oldest first, into steps with the waits and runs between them.

    Procrastinate notes the time a job is due as an event of that time, which is no step of its own.
    """
    steps: list[Step] = []
    before: Event | None = None
    runs = 0
    for event in events:
        runs += event.type == "started"
        steps.append(
            Step(
                label=str(_LABELS.get(event.type, event.type)),
                icon=_ICONS.get(event.type, "ready"),
                at=event.at,
                lasted=_gap_in_words(before, event),
                run=runs if event.type == "started" else 0,
            )
        )
        before = event if event.type != "scheduled" else before
    return tuple(steps)


def _gap_in_words(before: Event | None, event: Event) -> str:
    if before is None or event.type == "scheduled":
        return ""
    span = duration_in_words(max(event.at - before.at, timedelta(0)))
    if before.type == "started" and event.type in _RUN_ENDS:
        return _("ran %(span)s") % {"span": span}
    if event.type == "started":
        return _("waited %(span)s") % {"span": span}
    return _("after %(span)s") % {"span": span}
