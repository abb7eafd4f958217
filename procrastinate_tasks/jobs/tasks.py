"""The ``task`` decorator, and what the queue app knows of each task beyond what Procrastinate keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, cast, overload

from procrastinate import jobs, middleware, utils
from procrastinate.contrib.django import app
from procrastinate.retry import BaseRetryStrategy
from procrastinate.tasks import Task

from procrastinate_tasks.exceptions import InvalidQueueName, InvalidTaskArguments, TaskNameTaken

# A channel's name has 63 bytes at most, and Procrastinate puts "procrastinate_queue_v1#" before the queue's.
LONGEST_QUEUE_NAME_BYTES = 40


def require_queue_name(queue: str) -> None:
    """Refuses a name that no job could be deferred with.

    Raises:
        InvalidQueueName: It is longer than ``MOST_BYTES``, in UTF-8.
    """
    if len(queue.encode("utf-8", "replace")) > LONGEST_QUEUE_NAME_BYTES:
        raise InvalidQueueName(queue=queue, most_bytes=LONGEST_QUEUE_NAME_BYTES)


Validator = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of one task.

    ``signature`` is the function's without the job context, ``log_fields`` the arguments that may appear in
    log lines, the limits are None where the settings' hold.
    """

    name: str
    function_path: str
    signature: inspect.Signature
    validate: Validator | None = None
    log_fields: tuple[str, ...] = ()
    soft_time_limit: timedelta | None = None
    time_limit: timedelta | None = None


_options_by_name: dict[str, TaskOptions] = {}


def register(options: TaskOptions) -> None:
    """Keep a task's options.

    Raises:
        TaskNameTaken: another function has this task name.
    """
    taken = _options_by_name.get(options.name)
    if taken is not None:
        raise TaskNameTaken(options.name, first=taken.function_path, second=options.function_path)
    _options_by_name[options.name] = options


def find_options(task_name: str) -> TaskOptions | None:
    """Return a task's options; None for a task that was not declared with our decorator."""
    return _options_by_name.get(task_name)


def all_options() -> tuple[TaskOptions, ...]:
    return tuple(_options_by_name.values())


def check_arguments(task_name: str, arguments: Mapping[str, object]) -> None:
    """Refuse arguments that do not fit the task's signature, or that its ``validate`` refuses.

    Raises:
        InvalidTaskArguments: with the task's name and what is wrong.
    """
    options = find_options(task_name)
    if options is None:
        return
    try:
        options.signature.bind(**arguments)
    except TypeError as mismatch:
        raise InvalidTaskArguments(str(mismatch), task_name=task_name) from mismatch
    if options.validate is None:
        return
    try:
        options.validate(arguments)
    except InvalidTaskArguments as refusal:
        raise InvalidTaskArguments(refusal.problem, task_name=task_name) from refusal


P = ParamSpec("P")


R = TypeVar("R")


@overload
def task(function: Callable[P, R], /) -> Task[P, R, P]: ...


@overload
def task(
    *,
    name: str | None = ...,
    queue: str = ...,
    priority: int = ...,
    lock: str | None = ...,
    queueing_lock: str | None = ...,
    retry: BaseRetryStrategy | None = ...,
    pass_context: bool = ...,
    aliases: Sequence[str] = ...,
    task_middleware: Sequence[middleware.TaskMiddleware] = ...,
    validate: Validator | None = ...,
    log_fields: Sequence[str] = ...,
    soft_time_limit: timedelta | None = ...,
    time_limit: timedelta | None = ...,
) -> Callable[[Callable[P, R]], Task[P, R, P]]: ...


def task(
    function: Callable[P, R] | None = None,
    /,
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
) -> Task[P, R, P] | Callable[[Callable[P, R]], Task[P, R, P]]:
    """Make a function a task that jobs can name: ``@task``, or ``@task(…)`` with options.

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
        A Procrastinate ``Task``, or a decorator that returns one: calling it runs the function, ``defer()``
        makes a job.
    """

    require_queue_name(queue)

    def declare(function: Callable[P, R]) -> Task[P, R, P]:
        register(
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

    return declare if function is None else declare(function)


def _signature_of_arguments(function: Callable[..., Any], *, pass_context: bool) -> inspect.Signature:
    signature = inspect.signature(function)
    if not pass_context:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])
