"""What is left when the storm is over: the orders, the tasks' ledger, and the queue's tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.workers.postgres import Server
from tests.workers.storm.ledger import Run, read_runs
from tests.workers.storm.orders import EFFECT_PREFIX, SLOW_QUEUE, JobKind, Order


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as the queue has it: ``accepted`` are the runs it recorded as the job's success."""

    id: int
    order: Order
    status: str
    accepted: tuple[str, ...] = ()
    success_events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the verdict rests on."""

    ordered: list[Order]
    jobs: list[StoredJob]
    runs: list[Run]
    effects: list[int] = field(default_factory=list)
    slow_starts: list[datetime] = field(default_factory=list)
    most_narrow_at_a_time: int = 0
    other_jobs_doing: int = 0


_JOBS = """
SELECT
    job.id, job.task_name, (job.args->>'key')::bigint, job.status::text,
    ARRAY(
        SELECT coalesce(attempt.result #>> '{}', '') FROM procrastinate_tasks_jobattempt AS attempt
        WHERE attempt.job_id = job.id AND attempt.outcome = 'succeeded' ORDER BY attempt.id
    ),
    (
        SELECT count(*) FROM procrastinate_events AS event
        WHERE event.job_id = job.id AND event.type = 'succeeded'
    )
FROM procrastinate_jobs AS job
WHERE job.task_name LIKE 'storm.%'
ORDER BY job.id
"""
_SLOW_STARTS = """
SELECT event.at FROM procrastinate_events AS event JOIN procrastinate_jobs AS job ON job.id = event.job_id
WHERE event.type = 'started' AND job.queue_name = %s ORDER BY event.at
"""
_OTHER_DOING = """
SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND task_name NOT LIKE 'storm.%%' AND %s
"""


def gather_evidence(
    *, server: Server, ledger: Path, ordered: list[Order], most_narrow_at_a_time: int
) -> Evidence:
    """Reads everything once the workers rest."""
    effects = server.rows("SELECT name FROM auth_group WHERE starts_with(name, %s)", EFFECT_PREFIX)
    return Evidence(
        ordered=ordered,
        jobs=[
            StoredJob(job_id, Order(JobKind(task), key), status, tuple(accepted), events)
            for job_id, task, key, status, accepted, events in server.rows(_JOBS)
        ],
        runs=read_runs(ledger),
        effects=[int(name.removeprefix(EFFECT_PREFIX)) for (name,) in effects],
        slow_starts=[at for (at,) in server.rows(_SLOW_STARTS, SLOW_QUEUE)],
        most_narrow_at_a_time=most_narrow_at_a_time,
        other_jobs_doing=int(server.rows(_OTHER_DOING, True)[0][0]),
    )
