"""What the queue app knows of each task beyond what Procrastinate keeps, by task name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from procrastinate_tasks.exceptions import InvalidTaskArguments, TaskNameTaken

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
