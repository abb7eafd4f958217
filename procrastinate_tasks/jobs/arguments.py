"""Reads a job's arguments, which any client may have written: what cannot be read here is said in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any

from procrastinate_tasks.exceptions import InvalidTaskArguments

_DEEPEST_SHOWN = 50
# What stands for arguments that have no names: an argument cannot be called so.
_ALL = "(arguments)"


def read_arguments(text: str) -> dict[str, Any]:
    """Read the arguments of a call.

    Raises:
        InvalidTaskArguments: they are no JSON object, or one that Python cannot read.
    """
    arguments = _read(text)
    if not isinstance(arguments, dict):
        raise InvalidTaskArguments("the job's arguments are no JSON object")
    return arguments


def find_arguments(text: str) -> dict[str, Any]:
    """Return the arguments of a call, none where they cannot be read; ``read_arguments`` says why."""
    try:
        return read_arguments(text)
    except InvalidTaskArguments:
        return {}


def arguments_to_show(text: str) -> dict[str, Any]:
    """Return arguments as pages and commands show them, whatever they are."""
    shown = value_to_show(text)
    return shown if isinstance(shown, dict) else {_ALL: shown}


def value_to_show(text: str) -> Any:
    """Return any JSON as pages and commands show it: as JSON again, or why it cannot be."""
    try:
        return _flattened(_read(text, read_float=_finite_or_text), _DEEPEST_SHOWN)
    except InvalidTaskArguments as refusal:
        return f"({refusal.problem})"


def _read(text: str, *, read_float: Callable[[str], object] | None = None) -> Any:
    try:
        return json.loads(text, parse_float=read_float)
    except (ValueError, RecursionError) as fault:
        raise InvalidTaskArguments(f"the job's arguments cannot be read here: {fault}") from fault


def _finite_or_text(text: str) -> float | str:
    """Read a number; Postgres holds larger ones than a float, and ``Infinity`` is no JSON."""
    return number if isfinite(number := float(text)) else text


def _flattened(value: Any, depth: int) -> Any:
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return f"(nested more than {_DEEPEST_SHOWN} deep)"
    if isinstance(value, list):
        return [_flattened(item, depth - 1) for item in value]
    return {name: _flattened(item, depth - 1) for name, item in value.items()}
