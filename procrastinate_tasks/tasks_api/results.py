"""From a job and its attempts to a ``TaskResult`` of Django's Tasks API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from django.utils.module_loading import import_string

from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.exceptions import NotADjangoTask
from procrastinate_tasks.jobs.arguments import read_arguments
from procrastinate_tasks.tasks_api.api import (
    Task,
    TaskError,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
)

RUNNER_NAMES = ["procrastinate_tasks.run_django_task", "procrastinate_tasks.run_async_django_task"]
_LARGEST_ID = 2**63 - 1
_LONGEST_ID = 100

AnyTask: TypeAlias = "Task[..., Any]"  # only django_tasks has made it generic
Row = Mapping[str, Any]


def read_result(result_id: str, *, backend: str) -> TaskResult[Any]:
    """Return what became of a task, read in one statement.

    Args:
        backend: the alias of the backend that the task was enqueued with.

    Raises:
        TaskResultDoesNotExist: there is no such task, or its job was pruned.
        NotADjangoTask: the task's function is gone from the code.
    """
    row = _find_row(result_id, backend=backend)
    if row is None:
        raise TaskResultDoesNotExist(result_id)
    call = read_arguments(row["args"])
    attempts = [_with_times(attempt) for attempt in json.loads(row["attempts"] or "[]")]
    result: TaskResult[Any] = TaskResult(
        task=_task_of(row, call),
        id=result_id,
        status=_status_of(row),
        enqueued_at=datetime.fromisoformat(call["enqueued_at"]),
        started_at=attempts[0]["started_at"] if attempts else row["first_started_at"],
        last_attempted_at=_last_attempted_at(row, attempts),
        finished_at=_finished_at(row, attempts),
        args=call["args"],
        kwargs=call["kwargs"],
        backend=backend,
        errors=_errors_of(attempts),
        worker_ids=_worker_ids_of(row, attempts),
    )
    if row["status"] == "succeeded" and attempts:
        set_return_value(result, attempts[-1]["result"])
    return result


def load_task(path: str) -> AnyTask:
    """Import a task by the path of its function; nothing but a declared task is accepted.

    Raises:
        NotADjangoTask: the path leads nowhere, or to something else.
    """
    try:
        found = import_string(path)
    except ImportError as error:
        raise NotADjangoTask(path) from error
    if not isinstance(found, Task):
        raise NotADjangoTask(path)
    return found


def set_return_value(result: TaskResult[Any], value: object) -> None:
    """Give a result its return value, as Django's backends do: ``__init__`` does not take it."""
    object.__setattr__(result, "_return_value", value)


def _find_row(result_id: str, *, backend: str) -> Row | None:
    if not _is_id(result_id):
        return None
    rows = fetch_rows(
        statement("tasks_api/task_result"), job_id=int(result_id), task_names=RUNNER_NAMES, backend=backend
    )
    return rows[0] if rows else None


def _is_id(result_id: object) -> bool:
    """A project may ask with whatever came in an address."""
    if not isinstance(result_id, str) or not (result_id.isascii() and result_id.isdigit()):
        return False
    return len(result_id) <= _LONGEST_ID and int(result_id) <= _LARGEST_ID


def _task_of(row: Row, call: Mapping[str, Any]) -> AnyTask:
    return load_task(call["django_task"]).using(
        priority=row["priority"],
        queue_name=row["queue_name"],
        run_after=row["scheduled_at"],
        backend=call["backend"],
    )


def _status_of(row: Row) -> TaskResultStatus:
    unfinished = {
        "todo": TaskResultStatus.READY,
        "doing": TaskResultStatus.RUNNING,
        "succeeded": TaskResultStatus.SUCCESSFUL,
    }
    return unfinished.get(row["status"], TaskResultStatus.FAILED)


def _last_attempted_at(row: Row, attempts: list[dict[str, Any]]) -> datetime | None:
    if attempts and row["status"] != "doing":
        last: datetime = attempts[-1]["started_at"]
        return last
    started: datetime | None = row["last_started_at"]
    return started


def _finished_at(row: Row, attempts: list[dict[str, Any]]) -> datetime | None:
    if row["status"] in {"todo", "doing"}:
        return None
    if attempts and row["status"] != "cancelled":
        finished: datetime = attempts[-1]["finished_at"]
        return finished
    ended: datetime | None = row["ended_at"]
    return ended


def _errors_of(attempts: list[dict[str, Any]]) -> list[TaskError]:
    return [
        TaskError(exception_class_path=attempt["exception_class"], traceback=attempt["traceback"])
        for attempt in attempts
        if attempt["exception_class"]
    ]


def _worker_ids_of(row: Row, attempts: list[dict[str, Any]]) -> list[str]:
    """Return one id a run; one that ran in no worker, as in a test, has the host's name."""
    ids = [str(attempt["worker_id"] or attempt["host"]) for attempt in attempts]
    return [*ids, str(row["worker_id"] or "unknown")] if row["status"] == "doing" else ids


def _with_times(attempt: dict[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(attempt[name]) for name in ("started_at", "finished_at")}
    return {**attempt, **times}
