"""The decisions of the queue, as pure functions: no database, no clock, no Django."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

# --- Retries ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """When a failed attempt is followed by another, and after how long.

    ``backoff`` multiplies the delay at each further retry (1 keeps it), ``jitter`` spreads it by up to that
    fraction in both directions, ``max_delay`` caps it after both.
    """

    max_retries: int
    delay: timedelta
    on: tuple[type[BaseException], ...] = (Exception,)
    give_up_on: tuple[type[BaseException], ...] = ()
    backoff: float = 1.0
    jitter: float = 0.0
    max_delay: timedelta | None = None


def delay_before_retry(
    rule: RetryRule, *, exception: BaseException, retries_done: int, sample: float
) -> timedelta | None:
    """Return how long to wait before the next attempt, or None to give up.

    Args:
        retries_done: retries so far, 0 after the first attempt.
        sample: a random number in [0, 1), for the jitter.
    """
    if retries_done >= rule.max_retries:
        return None
    if not _is_one_of(exception, rule.on) or isinstance(exception, rule.give_up_on):
        return None
    seconds = _backed_off_seconds(rule, retries_done=retries_done)
    seconds *= 1 + rule.jitter * (2 * sample - 1)
    if rule.max_delay is not None:
        seconds = min(seconds, rule.max_delay.total_seconds())
    return timedelta(seconds=seconds)


def _is_one_of(exception: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Count a cancellation among the exceptions: one that reaches a decision is nobody's wish."""
    return isinstance(exception, kinds) or (isinstance(exception, CancelledError) and Exception in kinds)


def _backed_off_seconds(rule: RetryRule, *, retries_done: int) -> float:
    ceiling = (rule.max_delay or timedelta(days=365)).total_seconds()
    try:
        return min(rule.delay.total_seconds() * rule.backoff**retries_done, 2 * ceiling)
    except OverflowError:
        return 2 * ceiling


# --- Rescue -----------------------------------------------------------------------------------------------


class Rescue(StrEnum):
    """What becomes of a job whose worker is gone."""

    RUN_AGAIN = "run_again"
    PARK = "park"
    ABORT = "abort"


def decide_rescue(*, earlier_crashes: int, max_crashes: int, abort_requested: bool) -> Rescue:
    """Decide about an orphaned job.

    A job that was asked to stop is stopped; one that took ``max_crashes`` workers with it is parked.
    """
    if abort_requested:
        return Rescue.ABORT
    if earlier_crashes + 1 >= max_crashes:
        return Rescue.PARK
    return Rescue.RUN_AGAIN


# --- Schedule ---------------------------------------------------------------------------------------------


class CatchUp(StrEnum):
    """What happens to the ticks of a schedule that passed while no worker was running.

    A tick at most ``PROCRASTINATE_TASKS_SCHEDULE_GRACE`` old is not missed: it is deferred under every
    policy.
    """

    SKIP = "skip"
    """Missed ticks are dropped."""
    LAST = "last"
    """The latest missed tick is deferred once, unless a tick within the grace stands for it."""
    ALL = "all"
    """Every missed tick is deferred, at most ``PROCRASTINATE_TASKS_CATCH_UP_LIMIT`` of them, the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickDecision:
    """The ticks to defer now, oldest first, and how many were dropped."""

    defer: tuple[datetime, ...]
    missed: int


def decide_ticks(
    ticks: Sequence[datetime], *, now: datetime, catch_up: CatchUp, grace: timedelta, limit: int
) -> TickDecision:
    """Choose among the ticks that are due, oldest first."""
    on_time = [tick for tick in ticks if now - tick <= grace]
    late = [tick for tick in ticks if now - tick > grace]
    caught_up: list[datetime] = []
    if catch_up is CatchUp.LAST and not on_time:
        caught_up = late[-1:]
    elif catch_up is CatchUp.ALL:
        caught_up = late[-limit:]
    return TickDecision(defer=(*caught_up, *on_time), missed=len(late) - len(caught_up))


# --- What a job is doing ----------------------------------------------------------------------------------


class JobState(StrEnum):
    """What a job is doing, told more finely than its status."""

    READY = "ready"
    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    RUNNING = "running"
    ORPHANED = "orphaned"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


def job_state(
    *, status: str, scheduled_at: datetime | None, attempts: int, worker_is_alive: bool, now: datetime
) -> JobState:
    """Tell a job's state from its row and its worker's heartbeat."""
    if status == "doing":
        return JobState.RUNNING if worker_is_alive else JobState.ORPHANED
    if status != "todo":
        return JobState.ABORTED if status == "aborting" else JobState(status)
    if scheduled_at is None or scheduled_at <= now:
        return JobState.READY
    return JobState.RETRYING if attempts else JobState.SCHEDULED


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
    last_outcome: str = ""
    last_exception: str = ""
    last_message: str = ""
    paused_at: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""
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


# --- The roll-up ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupWindow:
    """Whole slots to sum up, ``from_at`` in, ``until`` out; ``has_more`` when later slots are closed."""

    from_at: datetime
    until: datetime
    has_more: bool


def decide_rollup_window(
    *,
    rolled_up_to: datetime | None,
    now: datetime,
    slot: timedelta,
    lateness: timedelta,
    kept_for: timedelta,
    at_most: timedelta,
) -> RollupWindow:
    """Choose the closed slots that are new, and those before them that late records may have changed.

    A slot of which attempts may be pruned already is left as it was summed up.

    Args:
        rolled_up_to: the end of the last slot that was summed up; None at the first turn.
        kept_for: how long attempts are kept.
        at_most: how much new time one turn takes on.
    """
    closed = _start_of_slot(now, slot)
    oldest = min(closed, _start_of_slot(now - kept_for, slot) + slot)
    done = min(max(rolled_up_to or oldest, oldest), closed)
    until = min(done + at_most, closed)
    return RollupWindow(from_at=max(oldest, done - lateness), until=until, has_more=until < closed)


def _start_of_slot(instant: datetime, slot: timedelta) -> datetime:
    return instant - (instant - datetime(1970, 1, 1, tzinfo=UTC)) % slot
