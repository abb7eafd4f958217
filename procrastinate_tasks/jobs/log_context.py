"""Every log record made inside a job carries the job's id, task, queue and attempt."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from procrastinate.jobs import Job

from procrastinate_tasks.jobs.claimed_job import visible_arguments

_fields: ContextVar[Mapping[str, object]] = ContextVar(
    "procrastinate_tasks_log_fields", default=MappingProxyType({})
)


def fields_of(job: Job) -> dict[str, object]:
    """Return what a job's log records carry; ``attempt`` counts from 1."""
    return {
        "job_id": job.id,
        "task": job.task_name,
        "queue": job.queue,
        "attempt": job.attempts + 1,
        **visible_arguments(job),
    }


@contextmanager
def log_fields(job: Job) -> Iterator[None]:
    """Let the log records made in the block carry the job's fields."""
    token = _fields.set(fields_of(job))
    try:
        yield
    finally:
        _fields.reset(token)


class JobContextFilter(logging.Filter):
    """Put on a handler, it gives each record made inside a job the job's fields."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in _fields.get().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True
