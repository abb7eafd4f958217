"""The ``task`` decorator, and the task it makes: calling it runs the function, ``defer`` makes a job."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    overload,
)

from asgiref.sync import sync_to_async
from procrastinate import jobs, middleware, utils
from procrastinate.contrib.django import app
from procrastinate.jobs import JobDeferrer
from procrastinate.retry import BaseRetryStrategy
from procrastinate.tasks import ConfigureTaskOptions, Task

from procrastinate_tasks.exceptions import InvalidTaskArguments, JobDoesNotFit
from procrastinate_tasks.jobs.calls import Call, JobOptions, TaskCall, require_options
from procrastinate_tasks.jobs.context import JobContext
from procrastinate_tasks.jobs.deferring import insert_calls
from procrastinate_tasks.jobs.parameters import Parameters, Unfit
from procrastinate_tasks.jobs.task_options import TaskOptions, Validator, register, require_queue_name

P = ParamSpec("P")  # what the function is called with
D = ParamSpec("D")  # what it is deferred with: the same, but for a context
R = TypeVar("R")

# What other queues' tasks have, and what stands for it here.
_ELSEWHERE = {
    "apply_async": "using(…).defer(…)",
    "delay": "defer(…)",
    "delay_on_commit": "defer(…)",
    "enqueue": "defer(…)",
    "s": "call(…)",
    "send": "defer(…)",
    "si": "call(…)",
}


class QueueTask(Task[P, R, D], Generic[P, R, D]):
    """A task. Calling it runs the function; every other way makes jobs, in the current transaction.

    Each way takes the function's own arguments, which type checkers compare with its signature, and which are
    compared again when it is run.
    """

    options: TaskOptions

    # Type checkers would take every name for one of a task's.
    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            here = _ELSEWHERE.get(name)
            hint = f" Here it is {here}." if here else ""
            raise AttributeError(f"A task has no attribute {name!r}.{hint}", name=name, obj=self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here; arguments that travelled as JSON become what their annotations say."""
        call = cast("Callable[..., R]", self.func)
        try:
            return call(*args, **self.options.parameters.decode(kwargs))
        except Unfit as mismatch:
            raise JobDoesNotFit(self.name, str(mismatch)) from mismatch

    def defer(self, *args: D.args, **kwargs: D.kwargs) -> int:
        """Defer one job with the task's own options, and return its id.

        Raises:
            AlreadyEnqueued: a job with the task's queueing lock waits.
            InvalidTaskArguments: the arguments do not fit the task.
        """
        return self.configure().defer(*args, **kwargs)

    async def defer_async(self, *args: D.args, **kwargs: D.kwargs) -> int:
        """Do as ``defer`` does, on the connection that asynchronous code's ORM calls use."""
        return await self.configure().defer_async(*args, **kwargs)

    def configure(self, **options: Unpack[ConfigureTaskOptions]) -> Deferrer[D]:
        """Set Procrastinate's options for the jobs that the answer defers."""
        require_options(options, known=ConfigureTaskOptions.__annotations__)
        plain = super().configure(**options)
        deferrer: Deferrer[D] = Deferrer(
            job_manager=plain.job_manager, job=plain.job, connection=plain.connection
        )
        deferrer.task = self
        return deferrer

    def using(self, **options: Unpack[JobOptions]) -> Using[D]:
        """Set options for the jobs that the answer defers; see ``JobOptions``.

        Raises:
            ValueError: options that do not go together.
        """
        require_options(options)
        Call({}, **options)
        return Using(self, options)

    def call(self, *args: D.args, **kwargs: D.kwargs) -> TaskCall:
        """Return a job to be, for ``defer_many``."""
        return self.using().call(*args, **kwargs)

    def name_arguments(self, args: Sequence[object], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments by their names.

        Raises:
            InvalidTaskArguments: there are more than the function takes, or one twice.
        """
        if not args:
            return dict(kwargs)
        try:
            self.options.signature.bind_partial(*args, **kwargs)
        except TypeError as mismatch:
            raise InvalidTaskArguments(str(mismatch), task_name=self.name) from mismatch
        return {**dict(zip(self.options.signature.parameters, args, strict=False)), **kwargs}


class Deferrer(JobDeferrer, Generic[D]):
    """Procrastinate's deferrer, for the arguments of one task."""

    task: QueueTask[..., Any, D]

    def defer(self, *args: D.args, **kwargs: D.kwargs) -> int:  # type: ignore[override]
        """Defer one job, and return its id.

        Raises:
            AlreadyEnqueued: a job with its queueing lock waits.
            InvalidTaskArguments: the arguments do not fit the task.
        """
        return super().defer(**self.task.name_arguments(args, kwargs))

    async def defer_async(self, *args: D.args, **kwargs: D.kwargs) -> int:  # type: ignore[override]
        """Do as ``defer`` does, on the connection that asynchronous code's ORM calls use."""
        return await super().defer_async(**self.task.name_arguments(args, kwargs))


@dataclass(frozen=True, slots=True)
class Using(Generic[D]):
    """A task with options for its next jobs, which do not mix with the task's own arguments."""

    task: QueueTask[..., Any, D]
    options: JobOptions

    def defer(self, *args: D.args, **kwargs: D.kwargs) -> int | None:
        """Defer one job.

        Returns:
            The job's id; None when a job with its queueing lock already waits, or one with its unique key was
            deferred within its time.

        Raises:
            InvalidTaskArguments: the arguments do not fit the task.
        """
        (job_id,) = insert_calls([self.call(*args, **kwargs)])
        return job_id

    async def defer_async(self, *args: D.args, **kwargs: D.kwargs) -> int | None:
        """Do as ``defer`` does, on the connection that asynchronous code's ORM calls use."""
        (job_id,) = await sync_to_async(insert_calls)([self.call(*args, **kwargs)])
        return job_id

    def call(self, *args: D.args, **kwargs: D.kwargs) -> TaskCall:
        """Return a job to be, for ``defer_many``."""
        return TaskCall(self.task, Call(self.task.name_arguments(args, kwargs), **self.options))


class TaskSettings(TypedDict, total=False):
    """What ``@task(…)`` takes.

    Attributes:
        name: the task's name in the database, by default the function's dotted path. Jobs that wait keep it,
            so it must not change with the code.
        queue: where its jobs wait, by default "default".
        priority: higher runs first, by default 0.
        lock: jobs with the same lock never run at the same time. A job that waits for its retry holds back
            every later job with its lock: prefer a row lock inside the task.
        queueing_lock: at most one job with this queueing lock waits.
        retry: ``Retries(...)``, or any Procrastinate strategy; None never retries.
        aliases: further names, for jobs that wait under a name of before.
        task_middleware: Procrastinate's middleware around each run.
        validate: called with one mapping, the arguments as the function gets them, each time a job is
            deferred; raises ``InvalidTaskArguments``.
        log_fields: names of the arguments that may appear in log lines and stored errors; all others are
            hidden.
        soft_time_limit: raises inside the job after this long; None takes the setting.
        time_limit: ends the job after this long, whatever it does; None takes the setting.
    """

    name: str | None
    queue: str
    priority: int
    lock: str | None
    queueing_lock: str | None
    retry: BaseRetryStrategy | None
    aliases: Sequence[str]
    task_middleware: Sequence[middleware.TaskMiddleware]
    validate: Validator | None
    log_fields: Sequence[str]
    soft_time_limit: timedelta | None
    time_limit: timedelta | None


@overload
def task(function: Callable[P, R], /) -> QueueTask[P, R, P]: ...


@overload
def task(
    *, pass_context: Literal[False] = ..., **settings: Unpack[TaskSettings]
) -> Callable[[Callable[P, R]], QueueTask[P, R, P]]: ...


@overload
def task(
    *, pass_context: Literal[True], **settings: Unpack[TaskSettings]
) -> Callable[[Callable[Concatenate[JobContext, P], R]], QueueTask[Concatenate[JobContext, P], R, P]]: ...


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    pass_context: bool = False,
    **settings: Unpack[TaskSettings],
) -> Any:
    """Make a function a task that jobs can name: ``@task``, or ``@task(…)`` with settings.

    Args:
        pass_context: pass the job's context, a ``JobContext``, as first argument.
        settings: see ``TaskSettings``.

    Returns:
        A ``QueueTask``, or a decorator that returns one.

    Raises:
        TaskNameTaken: another function has this name.
        InvalidQueueName: the queue's name is too long.
    """
    require_options(settings, known=TaskSettings.__annotations__, of="task")

    def declare(function: Callable[..., Any]) -> QueueTask[..., Any, ...]:
        return _declare(function, pass_context=pass_context, settings=settings)

    return declare if function is None else declare(function)


def _declare(
    function: Callable[..., Any], *, pass_context: bool, settings: TaskSettings
) -> QueueTask[..., Any, ...]:
    queue = settings.get("queue", jobs.DEFAULT_QUEUE)
    require_queue_name(queue)
    options = TaskOptions(
        name=settings.get("name") or utils.get_full_path(function),
        function_path=utils.get_full_path(function),
        signature=_signature_of_arguments(function, pass_context=pass_context),
        parameters=Parameters(function, without=int(pass_context)),
        validate=settings.get("validate"),
        log_fields=tuple(settings.get("log_fields", ())),
        soft_time_limit=settings.get("soft_time_limit"),
        time_limit=settings.get("time_limit"),
    )
    register(options)
    declared: QueueTask[..., Any, ...] = QueueTask(
        function,
        blueprint=app,
        name=settings.get("name"),
        queue=queue,
        priority=settings.get("priority", jobs.DEFAULT_PRIORITY),
        lock=settings.get("lock"),
        queueing_lock=settings.get("queueing_lock"),
        retry=settings.get("retry") or False,
        pass_context=pass_context,
        aliases=list(settings.get("aliases", ())),
        task_middleware=list(settings.get("task_middleware", ())),
    )
    declared.options = options
    app._register_task(declared)
    functools.update_wrapper(declared, function, updated=())
    return declared


def _signature_of_arguments(function: Callable[..., Any], *, pass_context: bool) -> inspect.Signature:
    signature = inspect.signature(function)
    if not pass_context:
        return signature
    return signature.replace(parameters=list(signature.parameters.values())[1:])
