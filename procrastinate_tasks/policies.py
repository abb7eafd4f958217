"""The decisions of the queue, as pure functions: no database, no clock, no Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    if not isinstance(exception, rule.on) or isinstance(exception, rule.give_up_on):
        return None
    seconds = _backed_off_seconds(rule, retries_done=retries_done)
    seconds *= 1 + rule.jitter * (2 * sample - 1)
    if rule.max_delay is not None:
        seconds = min(seconds, rule.max_delay.total_seconds())
    return timedelta(seconds=seconds)


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
