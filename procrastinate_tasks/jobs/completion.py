"""How a run ended, and what that means for its job: done, failed, tried again, aborted, or given back."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import NamedTuple

from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.retry import RetryDecision
from procrastinate.tasks import Task

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.exceptions import Retry, Snooze, UnusableRetry
from procrastinate_tasks.jobs.attempts import describe_failure, encode_result, was_stopped
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.retries import check_decision, instant_of
from procrastinate_tasks.models import Outcome

# So often a job is given back by one worker because its process could not connect.
MOST_REFUSALS = 100

logger = logging.getLogger(__name__)


def succeeded(assignment: ClaimedJob, *, started: float, result: object) -> Completion:
    """The end of a run that returned."""
    return Completion(
        job_id=assignment.job_id,
        worker_id=assignment.worker_id,
        attempts=assignment.attempts,
        status="succeeded",
        outcome=Outcome.SUCCEEDED.value,
        task_name=assignment.task_name,
        queue_name=assignment.queue_name,
        started_at=started,
        finished_at=time.monotonic(),
        result=None if result is None else encode_result(result, max_bytes=queue_settings().max_result_bytes),
    )


def failed_or_retried(
    assignment: ClaimedJob,
    *,
    job: Job,
    task: Task[..., object, ...] | None,
    started: float,
    error: BaseException,
    abort_reason: AbortReason | None,
) -> Completion:
    """The end of a run that raised, with the retry its task, or it itself, asks for."""
    failure = describe_failure(_told_by(error), job=job)
    end = Completion(
        job_id=assignment.job_id,
        worker_id=assignment.worker_id,
        attempts=assignment.attempts,
        status="failed",
        outcome=Outcome.FAILED.value,
        task_name=assignment.task_name,
        queue_name=assignment.queue_name,
        started_at=started,
        finished_at=time.monotonic(),
        exception_class=failure.exception_class,
        message=failure.message,
        traceback=failure.traceback,
        fingerprint=failure.fingerprint,
    )
    if was_stopped(error, abort_reason=abort_reason):
        return _aborted(end, is_shutting_down=abort_reason is AbortReason.SHUTDOWN)
    if isinstance(error, Snooze):
        return _snoozed(end, error)
    try:
        decision = decide_retry(task, error=error, job=job)
    except UnusableRetry as refusal:
        return end._replace(message=f"{end.message}\n{refusal}")
    return end if decision is None else _to_be_retried(end, decision)


def end_of_refusal(end: Completion) -> Completion:
    """The end of a run whose process could not connect to the database: it was nobody's attempt."""
    return end._replace(
        status="todo",
        outcome=Outcome.INTERRUPTED.value,
        counts_attempt=False,
        retry_at=None,
        priority=None,
        queue=None,
        lock=None,
        could_not_connect=True,
    )


def decide_retry(
    task: Task[..., object, ...] | None, *, error: BaseException, job: Job
) -> RetryDecision | None:
    """Asks the task's strategy; one that fails itself means no retry, so that the job still ends.

    Raises:
        UnusableRetry: The strategy answered what cannot be stored.
    """
    if task is None:
        return None
    if isinstance(error, Retry):
        return _retry_as_asked(task, error, job=job)
    try:
        job_retry = task.get_retry_exception(exception=error, job=job)
    except BaseException:
        logger.exception("The retry strategy of %s failed; its job is not retried", task.name)
        return None
    return None if job_retry is None else check_decision(job_retry.retry_decision)


def _told_by(error: BaseException) -> BaseException:
    """Return what a run tells: of a retry it asked for, the error behind it."""
    return error.__cause__ or error if isinstance(error, Retry) else error


def _retry_as_asked(task: Task[..., object, ...], error: Retry, *, job: Job) -> RetryDecision | None:
    """Let the task say when, and its ``Retries`` how often."""
    most_retries = getattr(task.retry_strategy, "most_retries", None)
    most: int | None = most_retries(job) if most_retries else None
    if most is not None and job.attempts >= most:
        return None
    return check_decision(RetryDecision(retry_at=instant_of(error.in_, error.at)))


def _snoozed(end: Completion, error: Snooze) -> Completion:
    """Put a job back as it was; the record of its run holds the reason, and no error."""
    return end._replace(
        status="todo",
        outcome=Outcome.SNOOZED.value,
        counts_attempt=False,
        retry_at=instant_of(error.in_, error.at),
        exception_class="",
        traceback="",
        fingerprint="",
    )


def _aborted(end: Completion, *, is_shutting_down: bool) -> Completion:
    if is_shutting_down:
        return end._replace(status="todo", outcome=Outcome.INTERRUPTED.value, counts_attempt=False)
    return end._replace(status="aborted", outcome=Outcome.ABORTED.value)


def _to_be_retried(end: Completion, decision: RetryDecision) -> Completion:
    return end._replace(
        status="todo",
        outcome=Outcome.RETRYING.value,
        retry_at=decision.retry_at,
        priority=decision.priority,
        queue=decision.queue,
        lock=decision.lock,
    )


class Completion(NamedTuple):
    """How one run of a job ended: what becomes of the job, and what is stored of the attempt.

    ``status`` is the one the job should get (``todo`` puts it back), ``outcome`` a ``results.Outcome`` value.
    ``started_at`` and ``finished_at`` are on the host's monotonic clock, which its processes share and nobody
    sets; ``retry_at`` is on its calendar. The database is told how long ago, or in how long, that is.
    """

    job_id: int
    worker_id: int | None
    attempts: int
    status: str
    outcome: str
    task_name: str
    queue_name: str
    started_at: float
    finished_at: float
    counts_attempt: bool = True
    retry_at: datetime | None = None
    priority: int | None = None
    queue: str | None = None
    lock: str | None = None
    result: str | None = None
    exception_class: str = ""
    message: str = ""
    traceback: str = ""
    fingerprint: str = ""
    could_not_connect: bool = False


class Recorded(NamedTuple):
    """What became of a job: ``sibling_id`` is the waiting job a retry was dropped for."""

    job_id: int
    status: str
    outcome: Outcome
    sibling_id: int | None
