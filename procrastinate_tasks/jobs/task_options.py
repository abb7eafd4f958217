"""What the queue app knows of each task beyond what Procrastinate keeps, and what fits its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from procrastinate_tasks.exceptions import InvalidQueueName, InvalidTaskArguments, TaskNameTaken
from procrastinate_tasks.jobs.parameters import Parameters, Unfit

# A channel's name has 63 bytes at most, and Procrastinate puts "procrastinate_queue_v1#" before the queue's.
LONGEST_QUEUE_NAME_BYTES = 40


def require_queue_name(queue: str) -> None:
    """Refuses a name that no job could be deferred with.

    Raises:
        InvalidQueueName: It is longer than a queue's name may be, in UTF-8.
    """
    if len(queue.encode("utf-8", "replace")) > LONGEST_QUEUE_NAME_BYTES:
        raise InvalidQueueName(queue=queue, most_bytes=LONGEST_QUEUE_NAME_BYTES)


Validator = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of one task.

    ``signature`` is the function's without the job context, ``parameters`` how its arguments travel,
    ``log_fields`` those that may appear in log lines; the limits are None where the settings' hold.
    """

    name: str
    function_path: str
    signature: inspect.Signature
    parameters: Parameters = field(default_factory=Parameters)
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


def convert_arguments(task_name: str, arguments: Mapping[str, object]) -> Mapping[str, object]:
    """Return arguments as they travel: a ``Decimal``, a date or an enum as its parameter's annotation says.

    Raises:
        InvalidTaskArguments: they do not fit the task's signature or its annotations, or its ``validate``
            refuses them; with the task's name and what is wrong.
    """
    options = find_options(task_name)
    if options is None:
        return arguments
    encoded = _encode(options, arguments)
    if options.validate is None:
        return encoded
    try:
        options.validate(options.parameters.decode(encoded))
    except InvalidTaskArguments as refusal:
        raise InvalidTaskArguments(refusal.problem, task_name=task_name) from refusal
    return encoded


def _encode(options: TaskOptions, arguments: Mapping[str, object]) -> Mapping[str, object]:
    try:
        options.signature.bind(**arguments)
        return options.parameters.encode(arguments)
    except (TypeError, Unfit) as mismatch:
        raise InvalidTaskArguments(str(mismatch), task_name=options.name) from mismatch
