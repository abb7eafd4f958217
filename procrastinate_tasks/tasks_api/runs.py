"""The jobs that Django's tasks are: a worker imports the function by its path and runs it, or awaits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason, JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from procrastinate_tasks.exceptions import JobDoesNotFit, Snooze
from procrastinate_tasks.jobs.attempts import describe_failure
from procrastinate_tasks.jobs.completion import decide_retry
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task
from procrastinate_tasks.tasks_api.api import (
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from procrastinate_tasks.tasks_api.declaring import ProcrastinateTask
from procrastinate_tasks.tasks_api.fitting import find_misfit_of_django_task
from procrastinate_tasks.tasks_api.results import RUNNER_NAMES, load_task, read_result, set_return_value

SYNC_NAME, ASYNC_NAME = RUNNER_NAMES
VISIBLE_ARGUMENTS = ("django_task", "backend")


class DeclaredRetries(BaseRetryStrategy):
    """Asks the Django task behind a job how often it may be tried."""

    def most_retries(self, job: Job) -> int | None:
        """Return how often a job may be tried again at most; None if its task does not say."""
        retries = self._retries_of(job)
        return None if retries is None else retries.max_retries

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Answer Procrastinate's question after a failed attempt."""
        retries = self._retries_of(job)
        return None if retries is None else retries.get_retry_decision(exception=exception, job=job)

    def _retries_of(self, job: Job) -> Retries | None:
        declared = load_task(str(job.task_kwargs["django_task"]))
        return declared.retries if isinstance(declared, ProcrastinateTask) else None


_AS_DECLARED = DeclaredRetries()


@task(name=SYNC_NAME, pass_context=True, log_fields=VISIBLE_ARGUMENTS, retry=_AS_DECLARED)
def run_django_task(
    context: JobContext,
    *,
    django_task: str,
    backend: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    enqueued_at: str,
    timeout: float | None = None,
) -> object:
    """Run a task whose function is synchronous, and return its value as JSON holds it."""
    result = _start(context, backend=backend)
    value, error = None, None
    try:
        value = normalize_json(result.task.call(*_arguments_of(result), **result.kwargs))
    except BaseException as raised:
        error = raised
    _finish(context, result, value=value, error=error)
    if error is not None:
        raise error
    return value


@task(name=ASYNC_NAME, pass_context=True, log_fields=VISIBLE_ARGUMENTS, retry=_AS_DECLARED)
async def run_async_django_task(
    context: JobContext,
    *,
    django_task: str,
    backend: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    enqueued_at: str,
    timeout: float | None = None,
) -> object:
    """Await a task whose function is a coroutine, on the worker's event loop."""
    result = await sync_to_async(_start)(context, backend=backend)
    value, error = None, None
    try:
        value = normalize_json(await result.task.acall(*_arguments_of(result), **result.kwargs))
    except BaseException as raised:
        error = raised
    await sync_to_async(_finish)(context, result, value=value, error=error)
    if error is not None:
        raise error
    return value


def _start(context: JobContext, *, backend: str) -> TaskResult[Any]:
    problem = find_misfit_of_django_task(context.job.task_kwargs)
    if problem:
        raise JobDoesNotFit(context.job.task_name, problem)
    result = read_result(str(context.job.id), backend=backend)
    # A listener's fault is not the task's, whose end must be recorded as it was.
    task_started.send_robust(_sender_for(result), task_result=result)
    return result


def _arguments_of(result: TaskResult[Any]) -> list[Any]:
    return [TaskContext(task_result=result), *result.args] if result.task.takes_context else result.args


def _finish(
    context: JobContext, result: TaskResult[Any], *, value: object, error: BaseException | None
) -> None:
    """Tell the listeners how a run ended, unless a shutdown cut it short: then it runs again.

    Nor if it is tried again. Not to be called in an ``except`` block: Django's own listener would log the
    error, arguments and all.
    """
    if error is None:
        finished = _succeeded(result, value)
    elif context.abort_reason() is AbortReason.SHUTDOWN or _runs_again(context.job, error):
        return
    else:
        finished = _failed(result, error, job=context.job)
    task_finished.send_robust(_sender_for(finished), task_result=finished)


def _runs_again(job: Job, error: BaseException) -> bool:
    if isinstance(error, Snooze):
        return True
    return not isinstance(error, JobAborted) and (
        decide_retry(app.tasks[job.task_name], error=error, job=job) is not None
    )


def _succeeded(result: TaskResult[Any], value: object) -> TaskResult[Any]:
    finished = replace(result, status=TaskResultStatus.SUCCESSFUL, finished_at=timezone.now())
    set_return_value(finished, value)
    return finished


def _failed(result: TaskResult[Any], error: BaseException, *, job: Job) -> TaskResult[Any]:
    failure = describe_failure(error, job=job)
    raised = TaskError(exception_class_path=failure.exception_class, traceback=failure.traceback)
    return replace(
        result,
        status=TaskResultStatus.FAILED,
        finished_at=timezone.now(),
        errors=[*result.errors, raised],
    )


def _sender_for(result: TaskResult[Any]) -> type:
    return type(result.task.get_backend())
