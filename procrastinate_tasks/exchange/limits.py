"""Which time limits a job runs under: its task's own, else the worker's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from procrastinate_tasks import registry
from procrastinate_tasks.options import WorkerOptions


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits in seconds; None where there is none."""

    soft: float | None
    hard: float | None


def limits_of(task_name: str, options: WorkerOptions) -> Limits:
    """The limits of one task. A task's hard limit below the worker's soft one takes the soft one with it."""
    task = registry.find_options(task_name)
    soft = (task and task.soft_time_limit) or options.soft_time_limit
    hard = (task and task.time_limit) or options.time_limit
    if soft is not None and hard is not None and soft >= hard:
        soft = task.soft_time_limit if task and task.soft_time_limit else None
    return Limits(soft=_seconds(soft), hard=_seconds(hard))


def _seconds(limit: timedelta | None) -> float | None:
    return None if limit is None else limit.total_seconds()
