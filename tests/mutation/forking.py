"""Pytest plugin: collects once, then runs the tests in a fork of itself for each mutant.

A mutant inside a function is put into the function that everybody has imported already. Requests and answers
are lines on the pipes whose numbers the environment tells.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from django.core.management.commands import migrate

PIPES = "MUTANTS_PIPES"
CANNOT = 77


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Serve until the last request; in a fork let pytest go on, and run what was collected."""
    requests, answers = (int(each) for each in os.environ[PIPES].split(","))
    with os.fdopen(requests) as lines:
        for line in lines:
            request = json.loads(line)
            if not (child := os.fork()):
                os.setsid()
                _take_tables_as_they_are()
                _put_in_place(**request["function"])
                return None
            os.write(answers, f"{_wait_for(child, within=request['within'])}\n".encode())
    return True


def _wait_for(child: int, *, within: float) -> int:
    """Return the exit code, or -1 of one that took too long; whatever it left behind is ended, too."""
    deadline = time.monotonic() + within
    code = -1
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = abs(os.waitstatus_to_exitcode(status))
            break
        time.sleep(0.01)
    _end_group(child)
    if code == -1:
        os.waitpid(child, 0)
    return code


def _end_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _take_tables_as_they_are() -> None:
    """The database is a copy of one that has every migration: to find that out takes seconds."""
    migrate.Command.handle = lambda *args, **options: None  # type: ignore[method-assign]


def _put_in_place(*, path: str, name: str) -> None:
    module = sys.modules.get(path.removesuffix(".py").replace("/", "."))
    if not name or module is None:
        return  # it will be read from its file
    function = _find(module, name)
    if not isinstance(function, FunctionType):
        os._exit(CANNOT)
    old = function.__code__
    for code in _codes_in(compile(Path(path).read_bytes(), old.co_filename, "exec")):
        if (code.co_qualname, code.co_firstlineno) == (name, old.co_firstlineno):
            function.__code__ = code
            return
    os._exit(CANNOT)


def _find(module: object, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    return inspect.unwrap(found)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes_in(each)
