"""The periodic tasks that a project declared with Procrastinate's own ``@app.periodic``.

Its worker would defer them; ours has a schedule of its own and takes them in, so that they go on when a
project changes its worker. Each tick is noted where Procrastinate notes it: beside a worker of its own none
runs twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation
from procrastinate.jobs import Job
from procrastinate.periodic import PeriodicTask

from procrastinate_tasks.database import atomic, fetch_row
from procrastinate_tasks.jobs.deferring import encode_arguments

_DEFER_TICK = """
-- Defer a tick of a task of Procrastinate's own @app.periodic as its worker does: whoever comes second, that
-- worker or one of ours, gets no job.
SELECT procrastinate_defer_periodic_job_v2(
    %(queue)s::varchar, %(lock)s::varchar, %(queueing_lock)s::varchar, %(task_name)s::varchar,
    %(priority)s::integer, %(periodic_id)s::varchar, %(timestamp)s::bigint, %(args)s::jsonb
) AS job_id
"""


@dataclass(frozen=True, slots=True)
class AdoptedTask:
    """One declaration of ``@app.periodic``."""

    declared: PeriodicTask[..., Any, ...]

    @property
    def task_name(self) -> str:
        return self.declared.task.name

    @property
    def name(self) -> str:
        """The task's name, and the periodic id if it has one."""
        return "#".join(filter(None, [self.task_name, self.declared.periodic_id]))

    @property
    def cron(self) -> str:
        return self.declared.cron

    def defer(self, at: datetime, *, is_tick: bool) -> int | None:
        """Defer a job with the instant as its ``timestamp``; None when its queueing lock or tick is taken.

        Args:
            is_tick: whether it is to be noted as the tick of that instant; a job started by hand is not.
        """
        job = self.declared.task.configure(**self.declared.configure_kwargs).job
        timestamp = int(at.timestamp())
        job = job.evolve(task_kwargs={**job.task_kwargs, "timestamp": timestamp})
        try:
            with atomic():
                return self._defer_tick(job, timestamp) if is_tick else _job_id_of(job)
        except (UniqueViolation, AlreadyEnqueued):
            return None

    def _defer_tick(self, job: Job, timestamp: int) -> int | None:
        row = fetch_row(
            _DEFER_TICK,
            queue=job.queue,
            lock=job.lock,
            queueing_lock=job.queueing_lock,
            task_name=job.task_name,
            priority=job.priority,
            periodic_id=self.declared.periodic_id,
            timestamp=timestamp,
            args=encode_arguments(job.task_name, job.task_kwargs),
        )
        job_id: int | None = row["job_id"]
        return job_id


def adopted_tasks() -> Iterator[AdoptedTask]:
    """Return what the project's app declares."""
    yield from map(AdoptedTask, app.periodic_registry.periodic_tasks.values())


def _job_id_of(job: Job) -> int | None:
    deferred = app.job_manager.batch_defer_jobs([job])
    return deferred[0].id
