"""A job as a worker claims it: the row, Procrastinate's job, and the arguments that may be seen."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from procrastinate.jobs import Job
from procrastinate.types import JSONDict

from procrastinate_tasks.jobs.arguments import find_arguments
from procrastinate_tasks.jobs.task_options import find_options
from procrastinate_tasks.jobs.values import show


class HiddenArgumentsJob(Job):
    """A job in a worker, which keeps its arguments out of Procrastinate's own log lines."""

    def __eq__(self, other: object) -> bool:
        """It is the job, however little it shows."""
        return self.asdict() == other.asdict() if isinstance(other, Job) else NotImplemented

    __hash__ = Job.__hash__

    @property
    def call_string(self) -> str:
        return describe_call(self)

    def log_context(self) -> JSONDict:
        return {
            "id": self.id,
            "task_name": self.task_name,
            "queue": self.queue,
            "attempts": self.attempts,
            "call_string": self.call_string,
        }


def visible_arguments(job: Job) -> dict[str, object]:
    """Return the arguments of a job that its task allows in log lines."""
    options = find_options(job.task_name)
    names = options.log_fields if options else ()
    return {name: job.task_kwargs[name] for name in names if name in job.task_kwargs}


def describe_call(job: Job) -> str:
    """Return the call a job stands for, hidden arguments shown as an ellipsis."""
    shown = [f"{name}={show(value)}" for name, value in visible_arguments(job).items()]
    hidden = ["…"] if len(shown) < len(job.task_kwargs) else []
    return f"{job.task_name}[{job.id}]({', '.join([*shown, *hidden])})"


def procrastinate_job(assignment: ClaimedJob) -> HiddenArgumentsJob:
    """Procrastinate's record of a job, for its retry strategy and for log lines.

    Arguments that cannot be read here are left out: the column takes any JSON, from any client.
    """
    return HiddenArgumentsJob(
        id=assignment.job_id,
        status="doing",
        queue=assignment.queue_name,
        priority=assignment.priority,
        lock=assignment.lock,
        queueing_lock=assignment.queueing_lock,
        task_name=assignment.task_name,
        task_kwargs=find_arguments(assignment.args_json),
        scheduled_at=assignment.scheduled_at,
        attempts=assignment.attempts,
        worker_id=assignment.worker_id,
    )


class ClaimedJob(NamedTuple):
    """A claimed job on its way to a child. A tuple, because thousands of them travel each second.

    ``refusals`` is how often this worker gave it back because its process could not connect to the database.
    """

    job_id: int
    task_name: str
    queue_name: str
    priority: int
    lock: str | None
    queueing_lock: str | None
    args_json: str
    scheduled_at: datetime | None
    attempts: int
    worker_id: int | None
    crashes: int
    refusals: int = 0
