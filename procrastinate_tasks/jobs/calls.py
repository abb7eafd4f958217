"""A call of a task as a job to be: its arguments, when it may run, and what it must not meet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, TypedDict

from procrastinate.tasks import Task


class JobOptions(TypedDict, total=False):
    """What one job is given beside its arguments; what is left out is as its task has it.

    Attributes:
        schedule_at: aware instant before which the job does not run; ``schedule_in`` counts from now.
        expires_at: aware instant from which no run of the job begins: it ends as cancelled, and is said to
            have expired. ``expires_in`` counts from now.
        queue: another queue than the task's.
        priority: higher runs first.
        lock: jobs with the same lock never run at the same time.
        queueing_lock: at most one job with it waits.
        unique_for: no other job of the task with these arguments is deferred for so long, whatever becomes
            of this one; with ``unique_key``, none with that key.
    """

    schedule_at: datetime | None
    schedule_in: timedelta | None
    expires_at: datetime | None
    expires_in: timedelta | None
    queue: str | None
    priority: int | None
    lock: str | None
    queueing_lock: str | None
    unique_for: timedelta | None
    unique_key: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One of many jobs for the same task: its arguments, and the options of ``JobOptions``.

    Raises:
        ValueError: options that do not go together.
    """

    args: Mapping[str, object]
    queueing_lock: str | None = None
    schedule_at: datetime | None = None
    schedule_in: timedelta | None = None
    expires_at: datetime | None = None
    expires_in: timedelta | None = None
    queue: str | None = None
    priority: int | None = None
    lock: str | None = None
    unique_for: timedelta | None = None
    unique_key: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.args, Mapping):
            raise TypeError(f"A call's arguments are a mapping of names, not a {type(self.args).__name__}.")
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name} takes a {kind.__name__}, not this {type(value).__name__}.")
        for problem, is_so in _PROBLEMS:
            if is_so(self):
                raise ValueError(problem)


_KINDS: Mapping[str, type] = {
    "queueing_lock": str,
    "schedule_at": datetime,
    "schedule_in": timedelta,
    "expires_at": datetime,
    "expires_in": timedelta,
    "queue": str,
    "priority": int,
    "lock": str,
    "unique_for": timedelta,
    "unique_key": str,
}


def require_options(given: Iterable[str], *, known: Iterable[str] = _KINDS, of: str = "job") -> None:
    """Refuse an option that there is not.

    Raises:
        TypeError: with the nearest that there is.
    """
    names = list(known)
    for name in given:
        if name not in names:
            likely = get_close_matches(name, names, n=1)
            meant = f"Did you mean {likely[0]}?" if likely else f"Its options are {', '.join(names)}."
            raise TypeError(f"A {of} has no option {name!r}. {meant}")


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A call and its task; ``priority`` holds where the call has none of its own."""

    task: Task[..., Any, ...]
    call: Call
    priority: int | None = None


def unique_key_of(bound: TaskCall, *, arguments: str) -> str | None:
    """Return what no other job may be deferred with for a while: the call's own key, or its arguments."""
    if bound.call.unique_for is None:
        return None
    given = bound.call.unique_key
    ordered = json.dumps(json.loads(arguments), sort_keys=True)
    told = f"arguments {ordered}" if given is None else f"key {given}"
    return hashlib.sha256(f"{bound.task.name} {told}".encode()).hexdigest()


def seconds_of(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _is_naive(instant: datetime | None) -> bool:
    return instant is not None and instant.utcoffset() is None


def _is_before_its_time(call: Call) -> bool:
    instants, waits = (call.schedule_at, call.expires_at), (call.schedule_in, call.expires_in)
    return any(None not in pair and pair[1] <= pair[0] for pair in (instants, waits))  # type: ignore[operator]


_PROBLEMS = (
    (
        "schedule_at and expires_at must be aware: they need a time zone.",
        lambda call: _is_naive(call.schedule_at) or _is_naive(call.expires_at),
    ),
    (
        "A job is scheduled either at an instant or in a while: schedule_at or schedule_in.",
        lambda call: call.schedule_at is not None and call.schedule_in is not None,
    ),
    (
        "A job expires either at an instant or in a while: expires_at or expires_in.",
        lambda call: call.expires_at is not None and call.expires_in is not None,
    ),
    ("A job cannot expire before it may run.", _is_before_its_time),
    (
        "unique_for must be more than zero.",
        lambda call: call.unique_for is not None and call.unique_for <= timedelta(0),
    ),
    (
        "unique_key says what is unique, and unique_for for how long: give that too.",
        lambda call: call.unique_key is not None and call.unique_for is None,
    ),
    (
        "A job has a queueing_lock or is unique_for a while: two answers to one question.",
        lambda call: call.queueing_lock is not None and call.unique_for is not None,
    ),
)
