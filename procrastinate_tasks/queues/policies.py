"""Why a job is not running: the decision, as a pure function over what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# --- Why a job is not running -----------------------------------------------------------------------------


class Cause(StrEnum):
    """The one thing that has to change before a job runs, or what became of it."""

    NO_SUCH_JOB = "no_such_job"
    ENDED = "ended"
    RUNNING = "running"
    ORPHANED = "orphaned"
    SCHEDULED = "scheduled"
    WAITS_FOR_RETRY = "waits_for_retry"
    PAUSED = "paused"
    NO_WORKER = "no_worker"
    UNKNOWN_TASK = "unknown_task"
    LOCK_HELD = "lock_held"
    LOCK_AWAITED = "lock_awaited"
    CONCURRENCY_REACHED = "concurrency_reached"
    RATE_REACHED = "rate_reached"
    NO_FREE_SLOT = "no_free_slot"
    STARTS_NOW = "starts_now"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """A job and what can hold it back, at ``now``.

    ``changed_at`` is its last event, ``last_*`` its last attempt. The lock's holder is the job that runs with
    its lock, or else the first of those that come before it. ``jobs_ahead`` are ready in its queue,
    ``known_by_release`` is the newest release that was seen to know its task.
    """

    now: datetime
    id: int
    task_name: str
    known_by_release: str = ""
    queue_name: str
    status: str
    scheduled_at: datetime | None = None
    worker_id: int | None = None
    last_heartbeat: datetime | None = None
    orphaned_after: timedelta
    started_at: datetime | None = None
    changed_at: datetime | None = None
    expired_at: datetime | None = None
    last_outcome: str = ""
    last_exception: str = ""
    last_message: str = ""
    paused_at: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""
    paused_until: datetime | None = None
    is_task_paused: bool = False
    rate_limit: int | None = None
    rate_period: timedelta | None = None
    rate_opens_at: datetime | None = None
    concurrency_limit: int | None = None
    queue_running: int = 0
    lock_holder_id: int | None = None
    lock_holder_runs: bool = False
    jobs_ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """A living worker as one job sees it; ``capacity`` is None where the worker does not tell."""

    id: int
    serves_queue: bool
    knows_task: bool
    capacity: int | None
    running: int

    @property
    def may_run_it(self) -> bool:
        return self.serves_queue and self.knows_task

    @property
    def has_free_slot(self) -> bool:
        return self.capacity is None or self.running < self.capacity


def decide_cause(job: JobFacts | None, workers: Sequence[WorkerFacts]) -> Cause:
    """Tell why a job does not run: of several causes the one to remove first.

    Its own time comes before what people decided, that before who could run it, and that before the limits.
    """
    if job is None:
        return Cause.NO_SUCH_JOB
    if job.status == "doing":
        return Cause.RUNNING if _has_living_worker(job) else Cause.ORPHANED
    if job.status != "todo":
        return Cause.ENDED
    if job.scheduled_at is not None and job.scheduled_at > job.now:
        return Cause.WAITS_FOR_RETRY if job.last_outcome == "retrying" else Cause.SCHEDULED
    if job.paused_at is not None:
        return Cause.PAUSED
    if not any(worker.serves_queue for worker in workers):
        return Cause.NO_WORKER
    if not any(worker.may_run_it for worker in workers):
        return Cause.UNKNOWN_TASK
    return _cause_among_ready_jobs(job, [worker for worker in workers if worker.may_run_it])


def _has_living_worker(job: JobFacts) -> bool:
    return job.last_heartbeat is not None and job.last_heartbeat >= job.now - job.orphaned_after


def _cause_among_ready_jobs(job: JobFacts, workers: Sequence[WorkerFacts]) -> Cause:
    if job.lock_holder_id is not None:
        return Cause.LOCK_HELD if job.lock_holder_runs else Cause.LOCK_AWAITED
    if job.concurrency_limit is not None and job.queue_running >= job.concurrency_limit:
        return Cause.CONCURRENCY_REACHED
    if job.rate_opens_at is not None:
        return Cause.RATE_REACHED
    if not any(worker.has_free_slot for worker in workers):
        return Cause.NO_FREE_SLOT
    return Cause.STARTS_NOW
