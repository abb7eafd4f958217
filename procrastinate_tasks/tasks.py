"""The ``task`` decorator: a plain Procrastinate task, plus the options of this app."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, cast

from procrastinate import jobs, middleware, utils
from procrastinate.contrib.django import app
from procrastinate.retry import BaseRetryStrategy
from procrastinate.tasks import Task

from procrastinate_tasks import registry
from procrastinate_tasks.queue_names import require_queue_name
from procrastinate_tasks.registry import TaskOptions, Validator

P = ParamSpec("P")
R = TypeVar("R")


def task(
    *,
    name: str | None = None,
    queue: str = jobs.DEFAULT_QUEUE,
    priority: int = jobs.DEFAULT_PRIORITY,
    lock: str | None = None,
    queueing_lock: str | None = None,
    retry: BaseRetryStrategy | None = None,
    pass_context: bool = False,
    aliases: Sequence[str] = (),
    task_middleware: Sequence[middleware.TaskMiddleware] = (),
    validate: Validator | None = None,
    log_fields: Sequence[str] = (),
    soft_time_limit: timedelta | None = None,
    time_limit: timedelta | None = None,
) -> Callable[[Callable[P, R]], Task[P, R, P]]:
    """Make a function a task that jobs can name.

    Args:
        name: the task's name in the database, by default the function's dotted path. Jobs that wait keep it,
            so it must not change with the code.
        lock: jobs with the same lock never run at the same time. A job that waits for its retry holds back
            every later job with its lock: prefer a row lock inside the task.
        queueing_lock: at most one job with this queueing lock waits.
        retry: ``Retries(...)``, or any Procrastinate strategy; None never retries.
        pass_context: pass Procrastinate's job context as first argument.
        validate: called with the arguments each time a job is deferred; raises ``InvalidTaskArguments``.
        log_fields: names of the arguments that may appear in log lines and stored errors; all others are
            hidden.
        soft_time_limit: raises inside the job after this long; None takes the setting.
        time_limit: ends the job after this long, whatever it does; None takes the setting.

    Returns:
        A decorator that returns a Procrastinate ``Task``: calling it runs the function, ``defer()`` makes a
        job.
    """

    require_queue_name(queue)

    def declare(function: Callable[P, R]) -> Task[P, R, P]:
        registry.register(
            TaskOptions(
                name=name or utils.get_full_path(function),
                function_path=utils.get_full_path(function),
                signature=_signature_of_arguments(function, pass_context=pass_context),
                validate=validate,
                log_fields=tuple(log_fields),
                soft_time_limit=soft_time_limit,
                time_limit=time_limit,
            )
        )
        decorate: Callable[..., Any] = app.task
        declared = decorate(
            name=name,
            queue=queue,
            priority=priority,
            lock=lock,
            queueing_lock=queueing_lock,
            retry=retry or False,
            pass_context=pass_context,
            aliases=list(aliases),
            task_middleware=list(task_middleware),
        )(function)
        return cast("Task[P, R, P]", declared)

    return declare


def _signature_of_arguments(function: Callable[..., Any], *, pass_context: bool) -> inspect.Signature:
    signature = inspect.signature(function)
    if not pass_context:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])
