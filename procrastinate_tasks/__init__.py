"""The front door: what a project imports by itself. Each name is loaded when it is first asked for.

A settings file takes ``QueueLimit`` from here before Django is set up, and a project's ``models.py`` takes
``defer`` before there are models: importing the package must therefore import nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procrastinate_tasks.conf import CONNECTION_OPTIONS, AlertThresholds, QueueLimit, Rate
    from procrastinate_tasks.exceptions import (
        InvalidTaskArguments,
        QueueError,
        Retry,
        Snooze,
        SoftTimeLimitExceeded,
        UnknownQueue,
        UnknownTask,
    )
    from procrastinate_tasks.jobs.calls import Call, JobOptions
    from procrastinate_tasks.jobs.context import JobContext
    from procrastinate_tasks.jobs.deferring import cancel, defer, defer_many
    from procrastinate_tasks.jobs.retries import Retries
    from procrastinate_tasks.jobs.tasks import QueueTask, task
    from procrastinate_tasks.monitoring.logging import logging_config
    from procrastinate_tasks.queues.control import is_paused, limit_queue
    from procrastinate_tasks.queues.diagnosis import why_not_running
    from procrastinate_tasks.queues.pauses import pause_queue, pause_task, resume_queue, resume_task
    from procrastinate_tasks.schedule.periodic import periodic
    from procrastinate_tasks.schedule.policies import CatchUp
    from procrastinate_tasks.worker.process_hooks import on_process_start, on_process_stop

__all__ = [
    "CONNECTION_OPTIONS",
    "AlertThresholds",
    "Call",
    "CatchUp",
    "InvalidTaskArguments",
    "JobContext",
    "JobOptions",
    "QueueError",
    "QueueLimit",
    "QueueTask",
    "Rate",
    "Retries",
    "Retry",
    "Snooze",
    "SoftTimeLimitExceeded",
    "UnknownQueue",
    "UnknownTask",
    "cancel",
    "defer",
    "defer_many",
    "is_paused",
    "limit_queue",
    "logging_config",
    "on_process_start",
    "on_process_stop",
    "pause_queue",
    "pause_task",
    "periodic",
    "resume_queue",
    "resume_task",
    "task",
    "why_not_running",
]

_HOMES = {
    # declare
    "task": "jobs.tasks",
    "periodic": "schedule.periodic",
    "CatchUp": "schedule.policies",
    "Retries": "jobs.retries",
    "JobContext": "jobs.context",
    "QueueTask": "jobs.tasks",
    "Retry": "exceptions",
    "Snooze": "exceptions",
    # defer
    "defer": "jobs.deferring",
    "defer_many": "jobs.deferring",
    "Call": "jobs.calls",
    "JobOptions": "jobs.calls",
    "cancel": "jobs.deferring",
    # settings: without Django being set up, and without Procrastinate
    "QueueLimit": "conf",
    "Rate": "conf",
    "AlertThresholds": "conf",
    "CONNECTION_OPTIONS": "conf",
    "logging_config": "monitoring.logging",
    # operate
    "pause_queue": "queues.pauses",
    "pause_task": "queues.pauses",
    "resume_queue": "queues.pauses",
    "resume_task": "queues.pauses",
    "limit_queue": "queues.control",
    "is_paused": "queues.control",
    "why_not_running": "queues.diagnosis",
    "on_process_start": "worker.process_hooks",
    "on_process_stop": "worker.process_hooks",
    # catch
    "QueueError": "exceptions",
    "InvalidTaskArguments": "exceptions",
    "UnknownTask": "exceptions",
    "UnknownQueue": "exceptions",
    "SoftTimeLimitExceeded": "exceptions",
}

# Type checkers would take a module's ``__getattr__`` for leave to import whatever there is not.
if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a name of the table from its home, and keep it."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
