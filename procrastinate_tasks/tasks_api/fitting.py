"""Whether a waiting job's arguments still fit its task, or its Django task, as this release has it.

Nothing here looks at a value: names and numbers of arguments decide, and only they are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from procrastinate_tasks.exceptions import NotADjangoTask
from procrastinate_tasks.jobs.fitting import AnyTask, find_mismatch
from procrastinate_tasks.tasks_api.results import RUNNER_NAMES, load_task


def find_misfit(task: AnyTask, arguments: Mapping[str, Any]) -> str:
    """Say why a call with these arguments could not even begin; nothing if it could."""
    if task.name in RUNNER_NAMES:
        return find_misfit_of_django_task(arguments)
    return find_mismatch(task.func, positional=[None] if task.pass_context else [], named=arguments)


def find_misfit_of_django_task(call: Mapping[str, Any]) -> str:
    """Say why a job of Django's Tasks API could not even begin; nothing if it could."""
    path, args, kwargs = (call.get(name) for name in ("django_task", "args", "kwargs"))
    if not isinstance(path, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        return "its arguments are not those of a Django task"
    try:
        task = load_task(path)
    except NotADjangoTask as missing:
        return str(missing)
    return find_mismatch(task.func, positional=[None] * task.takes_context + args, named=kwargs)
