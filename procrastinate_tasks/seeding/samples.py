"""What seeded jobs look like: a project offers arguments and faults for its tasks, the rest is made up."""

from __future__ import annotations

import hashlib
import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from procrastinate_tasks.jobs.task_options import find_options

Arguments = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An exception that seeded attempts end with; ``exception_class`` is its dotted name."""

    exception_class: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How the seeded jobs of one task look.

    Attributes:
        arguments: returns arguments to draw from, asked once for each seeding; none are made up if it
            returns none.
        weight: how many jobs of this task there are for each job of a task without samples.
    """

    arguments: Callable[[], Sequence[Arguments]] | None = None
    faults: tuple[Fault, ...] = ()
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """A fault as the attempts of one task record it."""

    exception_class: str
    message: str
    traceback: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """Jobs to copy: ``weight`` of them for each of a task without samples."""

    task_name: str
    queue: str
    priority: int
    weight: int
    arguments: Sequence[Arguments]
    faults: tuple[FaultRow, ...] = field(default=())


_samples_by_task: dict[str, Samples] = {}

_USUAL_FAULTS = (
    Fault(exception_class="TimeoutError", message="The other side did not answer within 30 seconds."),
    Fault(
        exception_class="psycopg.OperationalError",
        message="server closed the connection unexpectedly",
    ),
    Fault(exception_class="ConnectionRefusedError", message="[Errno 111] Connection refused"),
    Fault(exception_class="KeyError", message="'status'"),
)
_MADE_UP = 200


def offer_samples(task_name: str, samples: Samples) -> None:
    """Tell what seeded jobs of a task look like; call it where the task's presentation is."""
    _samples_by_task[task_name] = samples


def sample_rows(tasks: Sequence[tuple[str, str, int]], *, rng: random.Random) -> tuple[SampleRow, ...]:
    """Return what to copy for each task, given as name, queue and priority."""
    return tuple(_sample_row(name, queue, priority, rng) for name, queue, priority in tasks)


def _sample_row(name: str, queue: str, priority: int, rng: random.Random) -> SampleRow:
    samples = _samples_by_task.get(name, Samples())
    offered = samples.arguments() if samples.arguments else _make_up(name, rng)
    return SampleRow(
        task_name=name,
        queue=queue,
        priority=priority,
        weight=samples.weight,
        arguments=offered or _make_up(name, rng),
        faults=tuple(_fault_row(name, fault) for fault in samples.faults or _USUAL_FAULTS),
    )


def _make_up(task_name: str, rng: random.Random) -> list[Arguments]:
    options = find_options(task_name)
    if options is None:
        return [{}]
    wanted = [
        parameter
        for parameter in options.signature.parameters.values()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    if not wanted:
        return [{}]
    return [{each.name: _value_for(each, rng) for each in wanted} for _ in range(_MADE_UP)]


def _value_for(parameter: inspect.Parameter, rng: random.Random) -> object:
    number = rng.randint(1, 100_000)
    if parameter.annotation in ("int", int):
        return number
    return f"{parameter.name}-{number}" if parameter.annotation in ("str", str) else None


def _fault_row(task_name: str, fault: Fault) -> FaultRow:
    options = find_options(task_name)
    module, _, function = (options.function_path if options else task_name).rpartition(".")
    name = fault.exception_class.rpartition(".")[2]
    return FaultRow(
        exception_class=fault.exception_class if "." in fault.exception_class else f"builtins.{name}",
        message=fault.message,
        traceback=(
            "Traceback (most recent call last):\n"
            f'  File "{module.replace(".", "/")}.py", line {20 + len(function)}, in {function}\n'
            f"{fault.exception_class}: {fault.message}\n"
        ),
        fingerprint=hashlib.sha256(f"{fault.exception_class} {module}.{function}".encode()).hexdigest()[:16],
    )
