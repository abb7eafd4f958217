"""A job in a worker, as Procrastinate knows it, with the arguments that may be shown."""

from __future__ import annotations

from procrastinate.jobs import Job
from procrastinate.types import JSONDict

from procrastinate_tasks import registry
from procrastinate_tasks.values import show


class ClaimedJob(Job):
    """A job in a worker, which keeps its arguments out of Procrastinate's own log lines."""

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
    options = registry.find_options(job.task_name)
    names = options.log_fields if options else ()
    return {name: job.task_kwargs[name] for name in names if name in job.task_kwargs}


def describe_call(job: Job) -> str:
    """Return the call a job stands for, hidden arguments shown as an ellipsis."""
    shown = [f"{name}={show(value)}" for name, value in visible_arguments(job).items()]
    hidden = ["…"] if len(shown) < len(job.task_kwargs) else []
    return f"{job.task_name}[{job.id}]({', '.join([*shown, *hidden])})"
