"""``Retries``: when a task's failed attempt is followed by another."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from procrastinate_tasks.policies import RetryRule, delay_before_retry

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

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Answer Procrastinate's question after a failed attempt."""
        delay = delay_before_retry(
            self.rule,
            exception=exception,
            retries_done=job.attempts,
            sample=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        return None if delay is None else RetryDecision(retry_at=datetime.now(UTC) + delay)
