"""Why a job is not running, in words: its cause, and the job, worker or person behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from procrastinate_tasks.conf import plain_orphaned_after, queue_settings
from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.formatting import moment_in_words
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.queues.policies import Cause, JobFacts, WorkerFacts, decide_cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a job is not running.

    ``sentence`` is for people, in the active language. ``at`` is when something changes by itself, or when
    what is told came about. ``blocking_job_id``, ``worker_id`` and ``person`` are who is behind it.
    """

    job_id: int
    cause: Cause
    sentence: str
    at: datetime | None = None
    blocking_job_id: int | None = None
    worker_id: int | None = None
    person: str = ""


def explain(
    job_id: int, job: JobFacts | None, workers: Sequence[WorkerFacts], *, rescue_every: timedelta
) -> Reason:
    """Give the cause its words."""
    cause = decide_cause(job, workers)
    if job is None:
        return Reason(job_id=job_id, cause=cause, sentence=_no_such_job(job_id))
    if cause is Cause.ORPHANED:
        return _orphaned(job, workers, rescue_every=rescue_every)
    if cause is Cause.NO_FREE_SLOT:
        return _no_free_slot(job, workers)
    return _EXPLANATIONS[cause](job)


# --- Of which there is no row, or no run ------------------------------------------------------------------


def _no_such_job(job_id: int) -> str:
    return _("There is no job %(job)d: it never was, or it ended and was pruned.") % {"job": job_id}


def _ended(job: JobFacts) -> Reason:
    values = {"at": _in_words(job.changed_at), "how": _end_of(job)}
    return _reason(job, Cause.ENDED, _("It ended at %(at)s: %(how)s.") % values, at=job.changed_at)


def _end_of(job: JobFacts) -> str:
    if job.last_outcome in ("failed", "parked", "superseded"):
        how = Outcome(job.last_outcome).label
        return f"{how} ({_error_of(job)})"
    if job.status == "cancelled" and job.expired_at is not None:
        return _("it expired before it started")
    return str(_STATUS_WORDS[job.status]())


_STATUS_WORDS: Mapping[str, Callable[[], str]] = {
    "succeeded": lambda: _("it succeeded"),
    "failed": lambda: _("it failed"),
    "cancelled": lambda: _("it was cancelled"),
    "aborting": lambda: _("it was stopped"),
    "aborted": lambda: _("it was stopped"),
}


def _running(job: JobFacts) -> Reason:
    text = _("It has been running since %(at)s, by worker %(worker)s.")
    values = {"at": _in_words(job.started_at), "worker": job.worker_id}
    return _reason(job, Cause.RUNNING, text % values, at=job.started_at, worker_id=job.worker_id)


def _orphaned(job: JobFacts, workers: Sequence[WorkerFacts], *, rescue_every: timedelta) -> Reason:
    if not workers:
        text = _("Its worker is gone, and no other is alive to rescue it. Start a worker.")
        return _reason(job, Cause.ORPHANED, text, worker_id=job.worker_id)
    silent_from = job.last_heartbeat + job.orphaned_after if job.last_heartbeat else job.now
    rescue_at = max(job.now, silent_from) + rescue_every
    text = _("Its worker is gone. It will be rescued by %(at)s.") % {"at": _in_words(rescue_at)}
    return _reason(job, Cause.ORPHANED, text, at=rescue_at, worker_id=job.worker_id)


# --- Of which the time has not come -----------------------------------------------------------------------


def _scheduled(job: JobFacts) -> Reason:
    text = _("It is due at %(at)s.") % {"at": _in_words(job.scheduled_at)}
    return _reason(job, Cause.SCHEDULED, text, at=job.scheduled_at)


def _waits_for_retry(job: JobFacts) -> Reason:
    text = _("It waits for its retry at %(at)s, after %(error)s.")
    values = {"at": _in_words(job.scheduled_at), "error": _error_of(job)}
    return _reason(job, Cause.WAITS_FOR_RETRY, text % values, at=job.scheduled_at)


# --- What holds a ready job back --------------------------------------------------------------------------


def _paused(job: JobFacts) -> Reason:
    what = (
        _("Task %(task)s has been paused by %(person)s since %(at)s.")
        if job.is_task_paused
        else _("Queue %(queue)s has been paused by %(person)s since %(at)s.")
    )
    values = {
        "queue": job.queue_name,
        "task": job.task_name,
        "person": job.paused_by,
        "at": _in_words(job.paused_at),
        "until": _in_words(job.paused_until),
    }
    until = _("It goes on at %(until)s.") if job.paused_until else ""
    reason = _("Reason: %(reason)s") % {"reason": job.pause_reason} if job.pause_reason else ""
    text = " ".join(filter(None, (what % values, until % values, reason)))
    return _reason(job, Cause.PAUSED, text, at=job.paused_at, person=job.paused_by)


def _no_worker(job: JobFacts) -> Reason:
    text = _("No living worker serves queue %(queue)s. Start one.") % {"queue": job.queue_name}
    return _reason(job, Cause.NO_WORKER, text)


def _unknown_task(job: JobFacts) -> Reason:
    if job.known_by_release:
        text = _(
            "No living worker knows task %(task)s, last known by release %(release)s: "
            "start workers of a release that has it."
        )
    else:
        text = _("No living worker knows task %(task)s: start workers of a release that has it.")
    values = {"task": job.task_name, "release": job.known_by_release}
    return _reason(job, Cause.UNKNOWN_TASK, text % values)


def _lock_held(job: JobFacts) -> Reason:
    text = _("Job %(job)s runs with its lock.") % {"job": job.lock_holder_id}
    return _reason(job, Cause.LOCK_HELD, text, blocking_job_id=job.lock_holder_id)


def _lock_awaited(job: JobFacts) -> Reason:
    text = _("Job %(job)s has its lock too, and comes first.") % {"job": job.lock_holder_id}
    return _reason(job, Cause.LOCK_AWAITED, text, blocking_job_id=job.lock_holder_id)


def _concurrency_reached(job: JobFacts) -> Reason:
    text = _("Queue %(queue)s runs %(running)d jobs, and may run %(limit)d at a time.")
    values = {"queue": job.queue_name, "running": job.queue_running, "limit": job.concurrency_limit}
    return _reason(job, Cause.CONCURRENCY_REACHED, text % values)


def _rate_reached(job: JobFacts) -> Reason:
    text = _(
        "Queue %(queue)s has started the %(limit)d jobs that it may in %(seconds)g s. "
        "The next may start at %(at)s."
    )
    values = {
        "queue": job.queue_name,
        "limit": job.rate_limit,
        "seconds": job.rate_period.total_seconds() if job.rate_period else 0,
        "at": _in_words(job.rate_opens_at),
    }
    return _reason(job, Cause.RATE_REACHED, text % values, at=job.rate_opens_at)


def _no_free_slot(job: JobFacts, workers: Sequence[WorkerFacts]) -> Reason:
    slots = sum(worker.capacity or 0 for worker in workers if worker.may_run_it)
    text = ngettext(
        "The %(slots)d slot of its workers is busy; %(ahead)d ready jobs of its queue come first.",
        "All %(slots)d slots of its workers are busy; %(ahead)d ready jobs of its queue come first.",
        slots,
    )
    return _reason(job, Cause.NO_FREE_SLOT, text % {"slots": slots, "ahead": job.jobs_ahead})


def _starts_now(job: JobFacts) -> Reason:
    return _reason(job, Cause.STARTS_NOW, _("Nothing holds it back: it starts within seconds."))


_EXPLANATIONS: Mapping[Cause, Callable[[JobFacts], Reason]] = {
    Cause.ENDED: _ended,
    Cause.RUNNING: _running,
    Cause.SCHEDULED: _scheduled,
    Cause.WAITS_FOR_RETRY: _waits_for_retry,
    Cause.PAUSED: _paused,
    Cause.NO_WORKER: _no_worker,
    Cause.UNKNOWN_TASK: _unknown_task,
    Cause.LOCK_HELD: _lock_held,
    Cause.LOCK_AWAITED: _lock_awaited,
    Cause.CONCURRENCY_REACHED: _concurrency_reached,
    Cause.RATE_REACHED: _rate_reached,
    Cause.STARTS_NOW: _starts_now,
}


def _reason(
    job: JobFacts,
    cause: Cause,
    sentence: str,
    *,
    at: datetime | None = None,
    blocking_job_id: int | None = None,
    worker_id: int | None = None,
    person: str = "",
) -> Reason:
    return Reason(
        job_id=job.id,
        cause=cause,
        sentence=sentence,
        at=at,
        blocking_job_id=blocking_job_id,
        worker_id=worker_id,
        person=person,
    )


def _error_of(job: JobFacts) -> str:
    name = job.last_exception.rpartition(".")[2]
    first_line = next(iter(job.last_message.splitlines()), "")
    return f"{name}: {first_line}" if first_line else name


def _in_words(at: datetime | None) -> str:
    return "–" if at is None else moment_in_words(at)


def why_not_running(job_id: int, now: datetime | None = None) -> Reason:
    """Return the one cause why a job is not running, in two statements.

    Args:
        now: by default the database's clock.
    """
    orphaned_after = plain_orphaned_after()
    rows = fetch_rows(statement("queues/job_facts"), job_id=job_id, now=now, orphaned_after=orphaned_after)
    job = JobFacts(**rows[0]) if rows else None
    workers = _worker_facts(job, orphaned_after=orphaned_after) if job else ()
    return explain(job_id, job, workers, rescue_every=queue_settings().rescue_every)


def _worker_facts(job: JobFacts, *, orphaned_after: timedelta) -> tuple[WorkerFacts, ...]:
    rows = fetch_rows(
        statement("queues/worker_facts"),
        queue=job.queue_name,
        task=job.task_name,
        now=job.now,
        orphaned_after=orphaned_after,
    )
    return tuple(WorkerFacts(**row) for row in rows)
