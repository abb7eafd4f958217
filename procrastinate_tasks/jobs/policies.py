"""What is decided of a job, as pure functions: when it is tried again, and what becomes of a lost one."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass
from datetime import timedelta
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


# --- Lost runs --------------------------------------------------------------------------------------------


class LossCause(StrEnum):
    """How a run was lost."""

    HOST = "host"  # its worker is silent or gone, and nobody saw why
    WORKER = "worker"  # its worker's process died, as the supervisor saw
    CHILD_ALONE = "child_alone"  # its child died by itself, and nothing else ran in it
    CHILD_AMONG_OTHERS = "child_among_others"  # its child died by itself, and other jobs ran in it
    CHILD_KILLED = "child_killed"  # we ended its child, for another job's sake or before it began
    ANSWER = "answer"  # it was claimed, but the answer never came
    SHUTDOWN = "shutdown"  # it had not finished when its worker stopped


class LossDecision(StrEnum):
    """What becomes of a job whose run was lost: it waits again, at no cost or at that of a crash, or ends."""

    GIVE_BACK = "give_back"
    RUN_AGAIN = "run_again"
    PARK = "park"
    ABORT = "abort"


# Causes that the job itself may be: of the others it is known that something else was.
_SUSPICIOUS = frozenset({LossCause.HOST, LossCause.CHILD_ALONE})


def decide_loss(
    cause: LossCause, *, earlier_crashes: int, max_crashes: int, abort_requested: bool
) -> LossDecision:
    """Decide about a lost run.

    A job that was asked to stop is stopped. One that may have caused the loss itself crashed, and is parked
    when it has done so ``max_crashes`` times; any other is given back.
    """
    if abort_requested:
        return LossDecision.ABORT
    if cause not in _SUSPICIOUS:
        return LossDecision.GIVE_BACK
    return LossDecision.PARK if earlier_crashes + 1 >= max_crashes else LossDecision.RUN_AGAIN
