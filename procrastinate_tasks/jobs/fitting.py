"""Whether a call still fits a function as this release has it: two releases may share one database.

Nothing here looks at a value: names and numbers of arguments decide, and only they are told.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from procrastinate.tasks import Task

AnyTask = Task[..., Any, ...]


def find_mismatch(
    function: Callable[..., Any], *, positional: Sequence[object], named: Mapping[str, Any]
) -> str:
    """Say why a function does not take these arguments, in Python's words; nothing if it does.

    The outermost function is asked, not what it wraps: a decorator may add an argument.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return ""  # it has none that Python could tell
    try:
        signature.bind(*positional, **named)
    except TypeError as mismatch:
        return str(mismatch)
    return ""


def fingerprint_of(tasks: Mapping[str, AnyTask]) -> str:
    """Return what tells this code's tasks and signatures from another release's."""
    lines = sorted(f"{name}{_signature_of(task.func)}" for name, task in tasks.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _signature_of(function: Callable[..., Any]) -> str:
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return ""
    # Without annotations and defaults: those may print as addresses in memory.
    return str([(each.name, each.kind.name, each.default is each.empty) for each in parameters])
