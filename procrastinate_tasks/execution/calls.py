"""From an assignment to a call: the task, its job and context as Procrastinate gives them, its middleware."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import Any

from procrastinate import middleware
from procrastinate.app import App
from procrastinate.contrib.django import db_cleanup
from procrastinate.exceptions import TaskNotFound
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.tasks import Task
from procrastinate.worker import Worker as ProcrastinateWorker

from procrastinate_tasks.exchange.frames import Assignment
from procrastinate_tasks.execution.slots import Slot
from procrastinate_tasks.options import WorkerOptions

AnyTask = Task[Any, Any, Any]


class CallBuilder:
    """Builds calls for one child process, or one test.

    Worker middleware is not run: it is async whatever the task, and a sync task has no event loop around it.
    ``middleware_worker`` is what task middleware gets: Procrastinate's class, never run here.
    """

    def __init__(self, *, app: App, options: WorkerOptions, stop: Callable[[], None]) -> None:
        self._app = app
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

    def find_task_or_none(self, assignment: Assignment) -> AnyTask | None:
        """The task a job names, if this code has it."""
        return self._tasks.get(assignment.task_name)

    def find_task(self, assignment: Assignment) -> AnyTask:
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

    def belongs_on_loop(self, assignment: Assignment) -> bool:
        """Whether the job is async. Unknown tasks are treated as such: they fail there at no cost."""
        return assignment.task_name not in self._tasks or self._is_async(assignment.task_name)

    def context_of(self, job: Job, slot: Slot, *, started: float) -> JobContext:
        """What a task with ``pass_context`` and every middleware get."""
        self.middleware_worker.worker_id = job.worker_id
        return JobContext(
            app=self._app,
            worker_name=self._options.name,
            worker_queues=self._options.queues,
            additional_context=dict(self._additional_context),
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
