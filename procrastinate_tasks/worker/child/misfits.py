"""What becomes of a job whose arguments do not fit its task here: another living release may know better.

In a deploy two releases share the queue for a while, and a job may come to the one that cannot call its task.
Its body did not run, so it costs no attempt: the job waits a little and is claimed again, by whoever comes
first. It waits for a quarter of an hour where somebody alive has other code, or another release was announced
(see ``manage.py check_waiting_jobs``) or seen lately; for half a minute otherwise, since a new release's web
processes may defer before anything of it has reached the database. After that it fails, and says why.
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
_PATIENCE_WITH_NOBODY = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(minutes=1)
# Whoever knows better lives and claims as often as we do: about every other time the job comes to them.
_LONGEST_PAUSE_BESIDE_OTHERS = timedelta(seconds=5)
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
    if (row["lasted"] or timedelta()) >= _patience_with(row):
        return end
    longest = _LONGEST_PAUSE_BESIDE_OTHERS if row["lives_elsewhere"] else _LONGEST_PAUSE
    return _put_back(end, retry_at=row["now"] + _pause(row["times"], longest=longest))


def _patience_with(row: Mapping[str, Any]) -> timedelta:
    return _PATIENCE if row["lives_elsewhere"] or row["was_seen_lately"] else _PATIENCE_WITH_NOBODY


def _pause(times: int, *, longest: timedelta) -> timedelta:
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret
    return min(timedelta(seconds=2.0 ** min(times, 10)), longest) * jitter


def _put_back(end: Completion, *, retry_at: datetime | None) -> Completion:
    return end._replace(
        status="todo", outcome=Outcome.INTERRUPTED.value, counts_attempt=False, retry_at=retry_at
    )


@cache
def _own_code() -> str:
    return fingerprint_of(app.tasks)
