"""Django's Tasks API on this queue: the ``BACKEND`` of ``TASKS`` is ``ProcrastinateBackend``'s path."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.utils import timezone

from procrastinate_tasks.exceptions import InvalidQueueName, NotADjangoTask
from procrastinate_tasks.jobs.task_options import require_queue_name
from procrastinate_tasks.tasks_api.api import (
    BaseTaskBackend,
    InvalidTask,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_enqueued,
)
from procrastinate_tasks.tasks_api.declaring import ProcrastinateTask, find_problem
from procrastinate_tasks.tasks_api.results import AnyTask, load_task, read_result
from procrastinate_tasks.tasks_api.runs import run_async_django_task, run_django_task

_PARAMETERS = {"BACKEND", "QUEUES"}


class ProcrastinateBackend(BaseTaskBackend):
    """Enqueues a task as one job, in Django's current transaction.

    ``priority`` is Procrastinate's, which also runs higher numbers first. A result's id is the job's. Results
    live as long as their jobs do: see ``PROCRASTINATE_TASKS_KEEP_SUCCESSES_FOR`` and ``KEEP_FAILURES_FOR``.
    """

    task_class: type[Any] = ProcrastinateTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._unknown_parameters = sorted(params.keys() - _PARAMETERS - {"OPTIONS"} | self.options.keys())

    def validate_task(self, task: AnyTask) -> None:
        """Refuse a task that this backend cannot run.

        Raises:
            InvalidTask: with the reason (``InvalidTaskError`` where ``django_tasks`` serves the API).
        """
        super().validate_task(task)
        try:
            require_queue_name(task.queue_name)
        except InvalidQueueName as refusal:
            raise InvalidTask(str(refusal)) from refusal
        if problem := find_problem(task):
            raise InvalidTask(problem)

    def enqueue(self, task: AnyTask, args: Any, kwargs: Any) -> TaskResult[Any]:
        """Make the task a job, which exists when and only when the surrounding transaction commits.

        Raises:
            InvalidTask: this backend cannot run the task, or a worker could not find it.
            TypeError: JSON cannot hold an argument.
            InvalidTaskArguments: PostgreSQL cannot store an argument.
        """
        self.validate_task(task)
        _refuse_unless_workers_find(task)
        enqueued_at = timezone.now()
        call = {
            "django_task": task.module_path,
            "backend": self.alias,
            "args": normalize_json(args),
            "kwargs": normalize_json(kwargs),
            "enqueued_at": enqueued_at.isoformat(),
        }
        if isinstance(task, ProcrastinateTask) and task.timeout_seconds is not None:
            call["timeout"] = task.timeout_seconds
        result: TaskResult[Any] = TaskResult(
            task=task,
            id=str(_defer(task, call)),
            status=TaskResultStatus.READY,
            enqueued_at=enqueued_at,
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult[Any]:
        """Return what became of a task that was enqueued with this backend, in any process.

        Raises:
            TaskResultDoesNotExist: there is no such task, or its job was pruned.
            NotADjangoTask: the task's function is gone from the code.
        """
        return read_result(result_id, backend=self.alias)

    def check(self, **kwargs: Any) -> Iterator[CheckMessage]:
        """Answer the system checks of Django's Tasks."""
        if not apps.is_installed("procrastinate_tasks"):
            yield Error(
                f"TASKS[{self.alias!r}] uses procrastinate_tasks, which is not installed.",
                hint="Add 'procrastinate.contrib.django' and 'procrastinate_tasks' to INSTALLED_APPS.",
                id="procrastinate_tasks.E020",
            )
        if self._unknown_parameters:
            yield Warning(
                f"TASKS[{self.alias!r}] sets {', '.join(self._unknown_parameters)}, which has no effect.",
                hint="This backend has no options: a task is always part of the surrounding transaction.",
                id="procrastinate_tasks.W020",
            )


def _refuse_unless_workers_find(task: AnyTask) -> None:
    try:
        load_task(task.module_path)
    except NotADjangoTask as error:
        raise InvalidTask(f"{error} A worker imports a task by this path.") from error


def _defer(task: AnyTask, call: dict[str, Any]) -> int:
    runner = run_async_django_task if iscoroutinefunction(task.func) else run_django_task
    deferrer = runner.configure(queue=task.queue_name, priority=task.priority, schedule_at=task.run_after)
    return deferrer.defer(**call)
