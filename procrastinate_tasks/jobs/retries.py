"""``Retries``: when a task's failed attempt is followed by another."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from procrastinate.jobs import Job
from procrastinate.manager import get_channel_for_queues
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from procrastinate_tasks.exceptions import UnusableRetry
from procrastinate_tasks.jobs.policies import RetryRule, delay_before_retry

# A queue's notifications go through a channel of its name after Procrastinate's prefix, of 63 bytes in all.
LONGEST_QUEUE_NAME_BYTES = 63 - len(*get_channel_for_queues([""]))
# An index holds the locks; it takes no entry above a third of a page.
_LONGEST_LOCK_BYTES = 2_000

ExceptionTypes = tuple[type[BaseException], ...]


@dataclass(frozen=True, kw_only=True)
class Retries(BaseRetryStrategy):
    """A task's retries, counted as Celery counts them: ``max_retries=3`` is one run and three retries.

    Args:
        max_retries: retries after the first attempt.
        delay: wait before the first retry, and before each when ``backoff`` is 1.
        on: exceptions that are retried; any other ends the job.
        give_up_on: exceptions that end the job although ``on`` names a parent of theirs.
        backoff: factor from one wait to the next.
        jitter: spread of each wait, 0.1 for ±10 %.
        max_delay: longest wait.

    A retry whose queueing lock another waiting job holds is dropped in favour of that job.
    """

    max_retries: int
    delay: timedelta
    on: ExceptionTypes = (Exception,)
    give_up_on: ExceptionTypes = ()
    backoff: float = 1.0
    jitter: float = 0.0
    max_delay: timedelta | None = None

    def __post_init__(self) -> None:
        if self.max_retries < 0 or self.delay < timedelta(0):
            raise ValueError("Retries needs max_retries and delay of zero or more.")
        if self.backoff < 1 or not 0 <= self.jitter <= 1:
            raise ValueError("Retries needs a backoff of 1 or more and a jitter between 0 and 1.")

    @property
    def rule(self) -> RetryRule:
        return RetryRule(
            max_retries=self.max_retries,
            delay=self.delay,
            on=self.on,
            give_up_on=self.give_up_on,
            backoff=self.backoff,
            jitter=self.jitter,
            max_delay=self.max_delay,
        )

    def most_retries(self, job: Job) -> int | None:
        """Return how often a job may be tried again at most."""
        return self.max_retries

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Answer Procrastinate's question after a failed attempt."""
        delay = delay_before_retry(
            self.rule,
            exception=exception,
            retries_done=job.attempts,
            sample=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        return None if delay is None else RetryDecision(retry_at=instant_of(delay, None))


def instant_of(wait: timedelta | None, at: datetime | None) -> datetime | None:
    """Return the instant to run again at, as Procrastinate wants it; it is stored as a wait from now."""
    return at if wait is None else datetime.now(UTC) + wait


def check_decision(decision: RetryDecision) -> RetryDecision:
    """Return what a strategy answered, if a job's row can hold it.

    Raises:
        UnusableRetry: it cannot; the message names the field and no value.
    """
    for name, is_usable, rule in _FIELDS:
        value = getattr(decision, name)
        if value is not None and not is_usable(value):
            raise UnusableRetry(f"its {name} {rule}")
    return decision


def _is_priority(value: object) -> bool:
    return type(value) is int and -(2**31) < value < 2**31  # it is negated in the order of claims


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None and 1 < value.year < 9999


def _is_queue(value: object) -> bool:
    return _is_text(value) and 0 < len(str(value).encode()) <= LONGEST_QUEUE_NAME_BYTES


def _is_lock(value: object) -> bool:
    return _is_text(value) and len(str(value).encode()) <= _LONGEST_LOCK_BYTES


def _is_text(value: object) -> bool:
    """Whether Postgres can store it: no surrogates, no NUL."""
    return type(value) is str and "\x00" not in value and value == value.encode("utf-8", "replace").decode()


_FIELDS: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("retry_at", _is_instant, "must be an instant with a time zone, in a year from 2 to 9998"),
    ("priority", _is_priority, "must be a whole number of 32 bits"),
    ("queue", _is_queue, f"must be a text of 1 to {LONGEST_QUEUE_NAME_BYTES} bytes"),
    ("lock", _is_lock, f"must be a text of at most {_LONGEST_LOCK_BYTES} bytes"),
)
