"""A Django task with options of this backend: ``@task(max_attempts=…, backoff=…, timeout=…)``.

Django 6.1 and django-tasks 0.12 hand such options to the backend's ``task_class``; Django 6.0 takes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.tasks_api.api import Task

_LONGEST_BACKOFF = timedelta(hours=1)
_MOST_ATTEMPTS = 1000
# After its timeout a task may clean up for so long before its process is ended.
SECONDS_TO_CLEAN_UP = 10.0


if TYPE_CHECKING:
    _Task = Task[..., Any]  # only the backport has made it generic
else:
    _Task = Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcrastinateTask(_Task):
    """A Django task with the options of this backend.

    Attributes:
        max_attempts: how often it is run at most; with 1, the default, it is never tried again by itself.
        backoff: how long to wait before the second attempt, as a timedelta or in seconds; each further wait
            is twice as long, and none longer than an hour.
        timeout: after this long ``SoftTimeLimitExceeded`` is raised inside the task, and ten seconds later it
            is ended; without it the worker's limits hold.
    """

    max_attempts: int = 1
    backoff: float | timedelta = timedelta(seconds=30)
    timeout: float | timedelta | None = None

    @property
    def retries(self) -> Retries | None:
        """When a failed attempt is followed by another; None if never."""
        if self.max_attempts == 1:
            return None
        return Retries(
            max_retries=self.max_attempts - 1,
            delay=_span_of(self.backoff),
            backoff=2.0,
            max_delay=_LONGEST_BACKOFF,
        )

    @property
    def timeout_seconds(self) -> float | None:
        return None if self.timeout is None else _span_of(self.timeout).total_seconds()


def find_problem(task: Any) -> str:
    """Say what is wrong with a task's options; nothing if they make sense."""
    if not isinstance(task, ProcrastinateTask):
        return ""
    if type(task.max_attempts) is not int or not 1 <= task.max_attempts <= _MOST_ATTEMPTS:
        return f"max_attempts must be a whole number from 1 to {_MOST_ATTEMPTS}."
    for name, value in (("backoff", task.backoff), ("timeout", task.timeout)):
        if value is not None and not _is_span(value):
            return f"{name} must be a timedelta or a number of seconds."
    if _span_of(task.backoff) < timedelta(0):
        return "backoff must be zero or more."
    if task.timeout is not None and _span_of(task.timeout) <= timedelta(0):
        return "timeout must be more than zero."
    return ""


def timeout_in(call: Mapping[str, Any]) -> float | None:
    """Return the timeout that a job was enqueued with, if it is one."""
    timeout = call.get("timeout")
    is_one = isinstance(timeout, int | float) and not isinstance(timeout, bool) and 0 < timeout < 10**9
    return float(timeout) if is_one else None  # type: ignore[arg-type]


def _is_span(value: object) -> bool:
    return isinstance(value, timedelta) or (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**9
    )


def _span_of(value: float | timedelta) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)
