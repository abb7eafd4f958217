"""Django's Tasks API from where this project has it: Django 6's ``django.tasks``, or else ``django_tasks``.

Both have the same shape; a few names differ. With neither, the names are placeholders: the modules that use
them can be imported, and there is nothing that would call them.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from procrastinate_tasks.exceptions import TasksApiMissing

if TYPE_CHECKING or (not find_spec("django.tasks") and find_spec("django_tasks")):
    from django_tasks import exceptions as _exceptions
    from django_tasks import task, task_backends
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
    from django_tasks.utils import normalize_json
elif find_spec("django.tasks"):
    from django.tasks import exceptions as _exceptions
    from django.tasks import task, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
    from django.tasks.exceptions import TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
else:

    class BaseTaskBackend:
        def __init__(self, alias: str, params: dict[str, Any]) -> None:
            raise TasksApiMissing

    _exceptions = TasksApiMissing
    TaskResultDoesNotExist = TasksApiMissing
    Task = TaskContext = TaskError = TaskResult = TaskResultStatus = object
    normalize_json = task = task_backends = task_enqueued = task_finished = task_started = None

IS_AVAILABLE = task_backends is not None
# Its name has changed once, and may be the one or the other.
InvalidTask: type[Exception] = getattr(
    _exceptions, "InvalidTask", getattr(_exceptions, "InvalidTaskError", TasksApiMissing)
)

__all__ = [
    "IS_AVAILABLE",
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "normalize_json",
    "task",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]
