"""What one worker was asked to do: every option of ``manage.py procrastinate worker``, checked and frozen.

And which time limits a job runs under: its task's own, else the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs.arguments import find_arguments
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.tasks_api.declaring import SECONDS_TO_CLEAN_UP, timeout_in
from procrastinate_tasks.tasks_api.results import RUNNER_NAMES

# A beat may be late, and one may be lost, before others take the jobs over.
_BEATS_IN_SILENCE = 3


class InvalidWorkerOption(ValueError):
    """An option of the worker makes no sense, alone or beside another."""

    def __init__(self, *, option: str, problem: str) -> None:
        self.option = option
        self.problem = problem
        super().__init__(f"--{option.replace('_', '-')}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Options of one worker; the defaults are those of the command line.

    Raises:
        InvalidWorkerOption: On a number below one, or a soft limit that is not below the hard one.
    """

    processes: int = 1
    concurrency: int = 4
    queues: tuple[str, ...] | None = None
    name: str = "worker"
    wait: bool = True
    listen_notify: bool = True
    polling_interval: timedelta = timedelta(seconds=5)
    abort_polling_interval: timedelta = timedelta(seconds=5)
    graceful_timeout: timedelta = timedelta(seconds=25)
    soft_time_limit: timedelta | None = timedelta(seconds=540)
    time_limit: timedelta | None = timedelta(seconds=600)
    max_jobs: int | None = 1000
    max_memory_mb: int | None = 400
    delete_jobs: DeleteJobCondition = DeleteJobCondition.NEVER
    orphaned_after: timedelta = timedelta(seconds=3.5)
    reload: bool = False

    def __post_init__(self) -> None:
        for option in ("processes", "concurrency", "max_jobs", "max_memory_mb"):
            self._require_at_least_one(option)
        for field in fields(self):
            self._require_positive_duration(field.name)
        if self.soft_time_limit and self.time_limit and self.soft_time_limit >= self.time_limit:
            raise InvalidWorkerOption(
                option="soft_time_limit",
                problem=f"{self.soft_time_limit.total_seconds():g} s must be less than "
                f"--time-limit ({self.time_limit.total_seconds():g} s)",
            )

    @property
    def heartbeat_interval(self) -> timedelta:
        """How often this worker beats; one that is silent for ``orphaned_after`` loses its jobs to others."""
        return self.orphaned_after / _BEATS_IN_SILENCE

    @property
    def capacity(self) -> int:
        """How many jobs the worker runs at a time, in all its child processes."""
        return self.processes * self.concurrency

    def _require_at_least_one(self, option: str) -> None:
        value = getattr(self, option)
        if value is not None and value < 1:
            raise InvalidWorkerOption(option=option, problem=f"must be 1 or more, not {value}")

    def _require_positive_duration(self, option: str) -> None:
        value = getattr(self, option)
        if isinstance(value, timedelta) and value <= timedelta(0):
            raise InvalidWorkerOption(option=option, problem="must be more than 0 seconds")


_UPSTREAM_NAMES = {
    "queues": "queues",
    "name": "name",
    "concurrency": "concurrency",
    "wait": "wait",
    "listen_notify": "listen_notify",
    "delete_jobs": "delete_jobs",
    "fetch_job_polling_interval": "polling_interval",
    "abort_job_polling_interval": "abort_polling_interval",
    "shutdown_graceful_timeout": "graceful_timeout",
}


def read_options(*, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> WorkerOptions:
    """Builds the options from ``PROCRASTINATE_WORKER_DEFAULTS`` and the command line, which wins.

    Args:
        defaults: Procrastinate's ``WorkerOptions``; keys this worker has no use for are ignored.
        given: What the command line holds, under our names or Procrastinate's.
    """
    ours = {field.name for field in fields(WorkerOptions)}
    merged: dict[str, Any] = {}
    for name, value in [*defaults.items(), *given.items()]:
        option = _UPSTREAM_NAMES.get(name, name)
        if option in ours:
            merged[option] = _convert(option, value)
    return WorkerOptions(**merged)


_DURATIONS = frozenset(
    {
        "polling_interval",
        "abort_polling_interval",
        "graceful_timeout",
        "soft_time_limit",
        "time_limit",
        "orphaned_after",
    }
)


def _convert(option: str, value: Any) -> Any:
    """Seconds become durations (0 switches a limit off), queue lists become tuples."""
    if value is None:
        return None
    if option in _DURATIONS:
        return _duration(option, float(value))
    if option == "queues":
        return tuple(value)
    if option == "delete_jobs":
        return DeleteJobCondition(value)
    if option in {"max_jobs", "max_memory_mb"}:
        return int(value) or None
    return value


def _duration(option: str, seconds: float) -> timedelta | None:
    if seconds == 0 and option in {"soft_time_limit", "time_limit"}:
        return None
    return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Time limits in seconds; None where there is none."""

    soft: float | None
    hard: float | None


def time_limits_of(task_name: str, options: WorkerOptions) -> TimeLimits:
    """The limits of one task. A task's hard limit below the worker's soft one takes the soft one with it."""
    task = find_options(task_name)
    soft = (task and task.soft_time_limit) or options.soft_time_limit
    hard = (task and task.time_limit) or options.time_limit
    if soft is not None and hard is not None and soft >= hard:
        soft = task.soft_time_limit if task and task.soft_time_limit else None
    return TimeLimits(soft=_seconds(soft), hard=_seconds(hard))


class JobLimits:
    """The time limits of jobs under one worker's options; a Django task's timeout travels with its job."""

    def __init__(self, options: WorkerOptions) -> None:
        self._of_task = lru_cache(maxsize=None)(partial(time_limits_of, options=options))

    def of(self, assignment: ClaimedJob) -> TimeLimits:
        """The limits of one job."""
        if assignment.task_name in RUNNER_NAMES and '"timeout"' in assignment.args_json:
            timeout = timeout_in(find_arguments(assignment.args_json))
            if timeout is not None:
                return TimeLimits(soft=timeout, hard=timeout + SECONDS_TO_CLEAN_UP)
        return self._of_task(assignment.task_name)


def _seconds(limit: timedelta | None) -> float | None:
    return None if limit is None else limit.total_seconds()
