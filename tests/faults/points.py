"""The points at which a process can die, found by watching it: its commits and its calls to Stripe.

A point is named by the step that reaches it, the innermost function of ours: ``commit ledger.outcomes
store_intent``, ``call POST payment_intents of driver``. Nothing in the product knows of them.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest import mock

from django.db.backends.utils import CursorWrapper
from django.db.transaction import Atomic

from tests.house import without_ids
from tests.stripe_transport import BASE_URL, CoreTransport

_PROJECT = Path(__file__).parents[2]
_OURS = ("bookings", "payments")
# Their transactions are their callers'.
_GO_BETWEENS = ("payments/ledger/locking.py", "payments/stripe_gateway.py", "payments/protocols/memory.py")
_WRITES = ("INSERT", "UPDATE", "DELETE", "SELECT PROCRASTINATE")


class Died(BaseException):
    """A process was killed here: no handler of the product's runs, as after kill -9."""


class Side(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A commit or a call to Stripe; before it nothing has happened, after it nobody has heard of it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


Visitor = Callable[[Point, Side], None]


@dataclass(slots=True)
class _Watch(threading.local):
    """What one thread does when it reaches a point; a thread that nobody watches just passes."""

    visitor: Visitor | None = None
    depth: int = 0

    def visit(self, point: Point, side: Side) -> None:
        if self.visitor is not None:
            self.visitor(point, side)


_watch = _Watch()


@contextmanager
def visited_by(visitor: Visitor) -> Iterator[None]:
    """Have a visitor called at each point that this thread reaches."""
    before, _watch.visitor, _watch.depth = _watch.visitor, visitor, 0
    try:
        yield
    finally:
        _watch.visitor, _watch.depth = before, 0


@contextmanager
def watched() -> Iterator[None]:
    """Watch the commits and the calls of this process."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Atomic, "__enter__", _enter))
        stack.enter_context(mock.patch.object(Atomic, "__exit__", _leave))
        stack.enter_context(mock.patch.object(CursorWrapper, "execute", _execute))
        stack.enter_context(mock.patch.object(CoreTransport, "request", _request))
        yield


# --- Commits ------------------------------------------------------------------------------------------------

_enter_original, _leave_original = Atomic.__enter__, Atomic.__exit__
_execute_original, _request_original = CursorWrapper.execute, CoreTransport.request


def _enter(atomic: Atomic) -> None:
    _enter_original(atomic)
    _watch.depth += 1


def _leave(atomic: Atomic, kind: Any, error: Any, traceback: Any) -> None:
    _watch.depth -= 1
    step = _step() if _watch.depth == 0 and error is None and _watch.visitor else None
    if step is None:
        _leave_original(atomic, kind, error, traceback)
        return
    point = Point("commit", step)
    try:
        _watch.visit(point, Side.BEFORE)
    except BaseException as died:
        _leave_original(atomic, type(died), died, died.__traceback__)
        raise
    _leave_original(atomic, None, None, None)
    _watch.visit(point, Side.AFTER)


def _execute(cursor: CursorWrapper, sql: Any, params: Any = None) -> Any:
    """A write outside any transaction is its own commit."""
    is_commit = _watch.visitor and not _watch.depth and str(sql).lstrip().upper().startswith(_WRITES)
    step = _step() if is_commit else None
    if step is None:
        return _execute_original(cursor, sql, params)
    point = Point("commit", step)
    _watch.visit(point, Side.BEFORE)
    result = _execute_original(cursor, sql, params)
    _watch.visit(point, Side.AFTER)
    return result


def _step() -> str | None:
    """Name the innermost function of ours that is at work."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(f"{_PROJECT}/"):
            place = path.removeprefix(f"{_PROJECT}/")
            if place.split("/")[0] in _OURS and place not in _GO_BETWEENS:
                module = place.removesuffix(".py").replace("/", ".")
                return f"{module} {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


# --- Calls --------------------------------------------------------------------------------------------------


def _request(transport: CoreTransport, method: str, url: str, *arguments: Any, **options: Any) -> Any:
    step = _step() if _watch.visitor else None
    if step is None:
        return _request_original(transport, method, url, *arguments, **options)
    path = without_ids(url.removeprefix(BASE_URL).partition("?")[0])
    point = Point("call", f"{method.upper()} {path} of {step}")
    _watch.visit(point, Side.BEFORE)
    answer = _request_original(transport, method, url, *arguments, **options)
    _watch.visit(point, Side.AFTER)
    return answer
