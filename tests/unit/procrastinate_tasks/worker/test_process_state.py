"""When a change of the whole process is put back while several jobs run side by side."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator

import pytest

from procrastinate_tasks.worker.child import process_state
from procrastinate_tasks.worker.child.process_state import ProcessState
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.options import TimeLimits
from tests.unit.procrastinate_tasks.worker.test_job_threads import assignment


class Child:
    """A child of three slots whose jobs change the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.slots = [Slot(index=index) for index in range(3)]
        self.retired = 0
        self.state = ProcessState(self.slots, retire=self._retire, loop=loop)

    def _retire(self) -> None:
        self.retired += 1

    def start(self, index: int, job_id: int) -> None:
        self.slots[index].occupy(assignment(job_id), TimeLimits(soft=None, hard=None))

    def end(self, index: int) -> float | None:
        """Has a job end; says what the sockets' time-out is then."""
        self.state.put_back(self.slots[index])
        self.slots[index].vacate()
        return socket.getdefaulttimeout()


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    monkeypatch.setattr(process_state, "_SECONDS_BETWEEN", 0)
    loop = asyncio.new_event_loop()
    before = socket.getdefaulttimeout()
    yield Child(loop)
    socket.setdefaulttimeout(before)
    loop.close()


def test_a_change_is_left_to_a_neighbour_who_may_be_about_to_undo_it(child: Child):
    child.start(0, 1)
    child.start(1, 2)
    socket.setdefaulttimeout(3)

    assert child.end(0) == 3


def test_a_change_that_outlives_all_who_may_have_made_it_is_put_back(child: Child):
    for index in range(3):
        child.start(index, index)
    socket.setdefaulttimeout(3)

    assert child.end(0) == 3
    child.start(0, 10)
    assert child.end(1) == 3
    child.start(1, 11)
    assert child.end(2) is None


def test_the_last_one_to_end_puts_back_what_anybody_changed(child: Child):
    child.start(0, 1)
    child.start(1, 2)
    socket.setdefaulttimeout(3)
    child.end(0)

    assert child.end(1) is None


def test_what_a_module_sets_as_a_job_imports_it_stays(child: Child, monkeypatch: pytest.MonkeyPatch):
    with warnings.catch_warnings():
        monkeypatch.setitem(sys.modules, "imported_by_a_job", types.ModuleType("imported_by_a_job"))
        warnings.simplefilter("ignore", UserWarning)
        socket.setdefaulttimeout(3)
        changed = list(warnings.filters)

        assert child.end(0) is None
        assert child.end(0) is None
        assert warnings.filters == changed


def test_what_cannot_be_put_back_has_the_process_replaced_and_says_so(
    child: Child, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(os, "getpriority", lambda *_: 19)
    monkeypatch.setattr(os, "setpriority", _refuse)

    child.end(0)

    assert child.retired == 1
    (told,) = caplog.messages
    assert told.endswith("the process's priority; this process is replaced")


class Policy(asyncio.DefaultEventLoopPolicy):
    pass


CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "errors": (lambda: setattr(sys, "excepthook", _refuse), lambda: sys.excepthook),
    "errors of threads": (lambda: setattr(threading, "excepthook", _refuse), lambda: threading.excepthook),
    "errors of nobody": (lambda: setattr(sys, "unraisablehook", _refuse), lambda: sys.unraisablehook),
    "warnings": (lambda: setattr(warnings, "showwarning", _refuse), lambda: warnings.showwarning),
    "stack": (lambda: threading.stack_size(1 << 20), threading.stack_size),
    "policy": (lambda: asyncio.set_event_loop_policy(Policy()), asyncio.get_event_loop_policy),
}


@pytest.mark.parametrize("what", CHANGES)
def test_hooks_and_what_later_threads_and_loops_are_made_with_are_put_back(what: str, child: Child):
    change, look = CHANGES[what]
    before = look()
    change()

    child.end(0)

    assert look() == before
    assert child.retired == 0


def _refuse(*_: object) -> None:
    raise PermissionError
