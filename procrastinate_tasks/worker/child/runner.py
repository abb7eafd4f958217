"""The one way to run a job, start to end, in a thread or on the event loop; it says how the run ended."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from functools import lru_cache, partial
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import DatabaseError, close_old_connections, reset_queries
from procrastinate import middleware
from procrastinate.app import App
from procrastinate.contrib.django import db_cleanup
from procrastinate.exceptions import TaskNotFound
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from procrastinate.worker import Worker as ProcrastinateWorker

from procrastinate_tasks.exceptions import JobDoesNotFit
from procrastinate_tasks.jobs import job_log
from procrastinate_tasks.jobs.arguments import read_arguments
from procrastinate_tasks.jobs.claimed_job import ClaimedJob, procrastinate_job
from procrastinate_tasks.jobs.completion import (
    MOST_REFUSALS,
    Completion,
    end_of_refusal,
    failed_or_retried,
    succeeded,
)
from procrastinate_tasks.jobs.context import LISTENER, JobContext
from procrastinate_tasks.jobs.log_context import log_fields
from procrastinate_tasks.jobs.values import name_of
from procrastinate_tasks.models import Outcome
from procrastinate_tasks.worker.child import interruption
from procrastinate_tasks.worker.child.interruption import SteppedJob
from procrastinate_tasks.worker.child.job_logs import JobLogs, current_run
from procrastinate_tasks.worker.child.leftovers import undo_leftovers
from procrastinate_tasks.worker.child.misfits import is_misfit, misfit_or, put_back_if_known_elsewhere
from procrastinate_tasks.worker.child.progress import ProgressListener
from procrastinate_tasks.worker.child.slots import Slot, current_slot
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.reachability import refusal_behind

T = TypeVar("T")

logger = logging.getLogger(__name__)


class JobRunner:
    """Runs jobs, in a child or in a test.

    Args:
        around: a context for each call of a sync task, within what records its end.
        caught: what ends a job when its task raises it; a test lets more pass than a child.
        is_alone: nobody else works on this queue, as in a test: what does not fit here fits nowhere.
        put_back: undoes what a job changed for its whole process as soon as it is over; says what that was.
    """

    def __init__(
        self,
        builder: CallBuilder,
        *,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        caught: tuple[type[BaseException], ...] = (BaseException,),
        is_alone: bool = False,
        put_back: Callable[[Slot], str] = lambda _slot: "",
    ) -> None:
        self._builder = builder
        self._is_alone = is_alone
        self._put_back = put_back
        self._around = around
        self._caught = caught

    def run_in_thread(self, slot: Slot, assignment: ClaimedJob) -> Completion:
        """Runs a sync task in the calling thread, where other threads may interrupt it through the slot.

        In the main thread a signal interrupts every wait; an event loop stands still meanwhile.
        """
        return fresh_context().run(self._run_in_context, slot, assignment)

    def _run_in_context(self, slot: Slot, assignment: ClaimedJob) -> Completion:
        current_slot.set(slot)
        current_run.set(assignment)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            left = ""
            try:
                try:
                    result = interruption.run_interruptibly(slot, lambda: self._call(run, slot))
                finally:
                    left = self._put_back(slot)
            except self._caught as error:
                end = run.failed_or_retried(error)
                if self._may_fit_elsewhere(end):
                    end = put_back_if_known_elsewhere(end)
            else:
                end = run.succeeded(result)
            return _leave_thread(_telling(end, left), slot)

    def _may_fit_elsewhere(self, end: Completion) -> bool:
        return not self._is_alone and is_misfit(end)

    def _call(self, run: _Run, slot: Slot) -> Any:
        if slot.connections:
            close_old_connections()
        with self._around():
            return _await_elsewhere(run.start()())

    async def run_on_loop(self, slot: Slot, assignment: ClaimedJob) -> Completion:
        """Runs an async task, in a task of its own with a ``fresh_context``."""
        current_slot.set(slot)
        current_run.set(assignment)
        if slot.async_context is not None:
            SyncToAsync.thread_sensitive_context.set(slot.async_context)
        run = _Run(self._builder, slot, assignment)
        with log_fields(run.job):
            left = ""
            try:
                try:
                    try:
                        interruption.raise_early(slot)
                        slot.coroutine = _awaiting(run.start())
                        result = await SteppedJob(slot.coroutine, slot)
                    finally:
                        interruption.withdraw(slot)
                finally:  # twice, for the reason of ``run_interruptibly``
                    interruption.withdraw(slot)
                    left = self._put_back(slot)
            except self._caught as error:
                end = run.failed_or_retried(error)
                if self._may_fit_elsewhere(end):
                    end = await undisturbed(sync_to_async(put_back_if_known_elsewhere)(end))
            else:
                end = run.succeeded(result)
            return await _without_async_leftovers(_telling(end, left), slot)


def fresh_context() -> Context:
    """The context variables a job begins with: none is set, neither language nor time zone nor precision."""
    return Context()


class _Run:
    """One run: what is known of it grows as it proceeds, and its end tells as much as is known."""

    def __init__(self, builder: CallBuilder, slot: Slot, assignment: ClaimedJob) -> None:
        self._builder = builder
        self._slot = slot
        self._assignment = assignment
        self._started = time.monotonic()
        self.job = procrastinate_job(assignment)

    def start(self) -> Callable[[], Any]:
        task = self._builder.find_task(self._assignment)
        if not self.job.task_kwargs:
            read_arguments(self._assignment.args_json)  # says why there are none, if there should be some
        job_log.log_start(self.job)
        return self._builder.call(task, self._builder.context_of(self.job, self._slot, started=time.time()))

    def succeeded(self, result: object) -> Completion:
        """The end of a run that returned; whatever the job has done to this process, it did so."""
        self._builder.close(self._slot, self._assignment, has_failed=False)
        try:
            return succeeded(self._assignment, started=self._started, result=result)
        except BaseException:
            logger.exception("What %s returned could not be kept", self._assignment.task_name)
            end = succeeded(self._assignment, started=self._started, result=None)
            return end._replace(result='"(a value that cannot be shown)"')

    def failed_or_retried(self, error: BaseException) -> Completion:
        """The end of a run that raised; an error that cannot even be looked at is told in our words."""
        self._builder.close(self._slot, self._assignment, has_failed=True)
        try:
            return self._end_of(error)
        except BaseException as fault:
            kind, hindrance = name_of(type(error)), name_of(type(fault))
            return self._end_of(RuntimeError(f"{kind} was raised; whoever looks at it meets {hindrance}"))

    def _end_of(self, error: BaseException) -> Completion:
        task = self._builder.find_task_or_none(self._assignment)
        error = misfit_or(error, task=task, arguments=self.job.task_kwargs)
        end = failed_or_retried(
            self._assignment,
            job=self.job,
            task=None if isinstance(error, JobDoesNotFit) else task,  # no retry of its own would mend that
            started=self._started,
            error=error,
            abort_reason=self._slot.abort_reason,
        )
        return end_of_refusal(end) if self._was_refused(error, end) else end

    def _was_refused(self, error: BaseException, end: Completion) -> bool:
        """A job that is refused again and again, while its process can connect, is to blame itself."""
        return (
            self._assignment.refusals < MOST_REFUSALS
            and end.outcome in (Outcome.FAILED.value, Outcome.RETRYING.value)
            and bool(refusal_behind(error))
        )


async def _awaiting(call: Callable[[], Any]) -> Any:
    return await call()


def _await_elsewhere(result: Any) -> Any:
    """Awaits what a sync task returned, if that can be awaited; its thread has no event loop of its own."""
    if not issubclass(type(result), Awaitable):
        return result
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, _awaiting(lambda: result)).result()


def _leave_thread(end: Completion, slot: Slot) -> Completion:
    """Does besides for this thread's connections what Django does after a request."""
    if not slot.connections:
        return end
    end = _without_leftovers(end, slot)
    with contextlib.suppress(DatabaseError):
        close_old_connections()
    reset_queries()
    return end


def _without_leftovers(end: Completion, slot: Slot) -> Completion:
    """Undoes what the job left on its connections, and tells it in the record of its run."""
    try:
        left = undo_leftovers(slot, task_name=end.task_name)
    except Exception:
        logger.exception("What %s left behind could not be undone", end.task_name)
        return end
    return _telling(end, left)


def _telling(end: Completion, left: str) -> Completion:
    """Says in the record of a run what its job left behind."""
    return end if not left else end._replace(message=f"{end.message}\n{left}".strip())


async def _without_async_leftovers(end: Completion, slot: Slot) -> Completion:
    """Does so in the thread of this slot's async ORM calls, if it has one, after what still runs there."""
    if slot.async_context is None or slot.async_context not in SyncToAsync.context_to_thread_executor:
        return _without_leftovers(end, slot)
    try:
        return await undisturbed(sync_to_async(_leave_thread)(end, slot))
    except Exception:  # no thread can be had any more
        logger.exception("What %s left behind could not be undone", end.task_name)
        return end


async def undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Awaits our own work to its end: a timer that a job left behind may still cancel the job's task."""
    task = asyncio.Task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


AnyTask = Task[Any, Any, Any]


class CallBuilder:
    """Builds calls for one child process, or one test.

    Worker middleware is not run: it is async whatever the task, and a sync task has no event loop around it.
    ``middleware_worker`` is what task middleware gets: Procrastinate's class, never run here.
    """

    def __init__(
        self,
        *,
        app: App,
        options: WorkerOptions,
        stop: Callable[[], None],
        progress: ProgressListener,
        logs: JobLogs | None = None,
    ) -> None:
        self._app = app
        self._progress = progress
        self._logs = logs
        self._tasks = app.tasks
        defaults = app.worker_defaults
        self._options = options
        self._worker_wide = [
            each
            for each in defaults.get("task_middleware") or []
            # Each run does what they do, without two thread switches an async job, and says what it finds.
            if each not in (db_cleanup.close_db_connections, db_cleanup.close_db_connections_async)
        ]
        self._additional_context: dict[str, Any] = dict(defaults.get("additional_context") or {})
        self.middleware_worker = _StoppableWorker(app=app, options=options, stop=stop)
        self._middleware_of = lru_cache(maxsize=None)(self._resolve_middleware)
        self._is_async = lru_cache(maxsize=None)(self._look_at_function)

    def close(self, slot: Slot, assignment: ClaimedJob, *, has_failed: bool) -> None:
        """Pass on what a job said last; it says no more."""
        self._progress.close(assignment.job_id)
        if self._logs is not None:
            self._logs.close(slot, assignment, has_failed=has_failed)

    def find_task_or_none(self, assignment: ClaimedJob) -> AnyTask | None:
        """The task a job names, if this code has it."""
        return self._tasks.get(assignment.task_name)

    def find_task(self, assignment: ClaimedJob) -> AnyTask:
        """The task a job names.

        Raises:
            TaskNotFound: This code has no task of that name.
        """
        task = self.find_task_or_none(assignment)
        if task is None:
            raise TaskNotFound(
                f"No task is named {assignment.task_name!r} here. "
                "Deploy the code that has it, then retry the job."
            )
        return task

    def belongs_on_loop(self, assignment: ClaimedJob) -> bool:
        """Whether the job is async. Unknown tasks are treated as such: they fail there at no cost."""
        return assignment.task_name not in self._tasks or self._is_async(assignment.task_name)

    def context_of(self, job: Job, slot: Slot, *, started: float) -> JobContext:
        """What a task with ``pass_context`` and every middleware get."""
        self.middleware_worker.worker_id = job.worker_id
        return JobContext(
            app=self._app,
            worker_name=self._options.name,
            worker_queues=self._options.queues,
            additional_context={**self._additional_context, LISTENER: self._progress.report},
            job=job,
            abort_reason=slot.read_abort_reason,
            start_timestamp=started,
        )

    def call(self, task: AnyTask, context: JobContext) -> Callable[[], Any]:
        """The task with its middleware around it, as a call without arguments."""
        job_args = (context,) if task.pass_context else ()
        run_task = partial(task, *job_args, **context.job.task_kwargs)
        return middleware.compose(self._middleware_of(task.name), run_task, context, self.middleware_worker)

    def _resolve_middleware(self, task_name: str) -> list[middleware.TaskMiddleware]:
        is_async = self._is_async(task_name)
        matching = [each for each in self._worker_wide if middleware.is_async_middleware(each) == is_async]
        return [*matching, *self._tasks[task_name].task_middleware]

    def _look_at_function(self, task_name: str) -> bool:
        return inspect.iscoroutinefunction(self._tasks[task_name].func)


class _StoppableWorker(ProcrastinateWorker):
    """Gives middleware the attributes of Procrastinate's worker; ``stop()`` retires this child."""

    def __init__(
        self,
        *,
        app: App,
        options: WorkerOptions,
        stop: Callable[[], None],
        without: Collection[middleware.TaskMiddleware] = (),
    ) -> None:
        super().__init__(
            app=app,
            queues=options.queues,
            name=options.name,
            concurrency=options.concurrency,
            install_signal_handlers=False,
        )
        self._retire = stop

    def stop(self) -> None:
        self._retire()
