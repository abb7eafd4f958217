"""What becomes of a job whose arguments do not fit its task here: another living release may know better.

In a deploy two releases share the queue for a while, and a job may come to the one that cannot call its task.
Its body did not run, so it costs no attempt: the job waits a little and is claimed again, by whoever comes
first. Nobody else alive has other code, no other release was announced in the last quarter of an hour (see
``manage.py check_waiting_jobs``), or a quarter of an hour has passed? Then it fails, and says why.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import DATABASE_FAULTS, fetch_row, statement
from procrastinate_tasks.exceptions import JobDoesNotFit
from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.jobs.fitting import AnyTask, fingerprint_of
from procrastinate_tasks.jobs.values import text_of
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.tasks_api.fitting import find_misfit

logger = logging.getLogger(__name__)

_PATIENCE = timedelta(minutes=15)
_LONGEST_PAUSE = timedelta(minutes=1)
_CLASS = f"{JobDoesNotFit.__module__}.{JobDoesNotFit.__qualname__}"


def misfit_or(error: BaseException, *, task: AnyTask | None, arguments: Mapping[str, Any]) -> BaseException:
    """Return the error, or what it means if the call could not begin: a task's own TypeError stays one."""
    if task is None or type(error) is not TypeError or not find_misfit(task, arguments):
        return error
    return JobDoesNotFit(task.name, text_of(error)).with_traceback(error.__traceback__)


def is_misfit(end: Completion) -> bool:
    return end.exception_class == _CLASS


def put_back_if_known_elsewhere(end: Completion) -> Completion:
    """Give a job back at no attempt, after a pause that grows, while another release may know how to call it.

    A database that cannot be asked now is no reason to fail the job.
    """
    try:
        row = fetch_row(
            statement("worker/fits_elsewhere"),
            release=queue_settings().release,
            code=_own_code(),
            task_name=end.task_name,
            job_id=end.job_id,
            exception_class=_CLASS,
            patience=_PATIENCE,
        )
    except DATABASE_FAULTS as fault:
        logger.warning("Nobody could say whether another release knows job %d: %s", end.job_id, fault)
        return _put_back(end, retry_at=None)
    if row["is_known_elsewhere"] and (row["lasted"] is None or row["lasted"] < _PATIENCE):
        return _put_back(end, retry_at=row["now"] + _pause(row["times"]))
    return end


def _pause(times: int) -> timedelta:
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret
    return min(timedelta(seconds=2.0 ** min(times, 10)), _LONGEST_PAUSE) * jitter


def _put_back(end: Completion, *, retry_at: datetime | None) -> Completion:
    return end._replace(
        status="todo", outcome=Outcome.INTERRUPTED.value, counts_attempt=False, retry_at=retry_at
    )


@cache
def _own_code() -> str:
    return fingerprint_of(app.tasks)
