"""Forks a process that cannot outlive its parent, and leaves nothing of the parent's in it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Protocol

from procrastinate_tasks.engine.before_forking import require_fitness

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
EXIT_FAILED = 1
STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_STANDARD_INPUT = 0

_held = threading.local()


class Closable(Protocol):
    """What the parent holds open and the fork must not."""

    def close(self) -> None: ...


def fork(
    run: Callable[[], object], *, name: str, closing: Iterable[Closable], dies_with_parent: bool = True
) -> int:
    """Forks a process that runs ``run`` and exits; returns its pid.

    Signals that stop the supervisor do not stop the fork: it is told. One that does not die with its parent
    has to notice that end itself.

    Raises:
        CannotFork: This process has another thread, or a database connection.
    """
    require_fitness()
    sys.stdout.flush()
    sys.stderr.flush()
    parent_pid = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    exit_code = EXIT_FAILED
    try:
        _prepare(name=name, closing=closing)
        if dies_with_parent:
            _die_with(parent_pid)
        run()
        exit_code = 0
    except BaseException:
        logger.exception("%s failed", name)
    finally:
        logging.shutdown()
        os._exit(exit_code)


def _prepare(*, name: str, closing: Iterable[Closable]) -> None:
    for signal_number in STOPPING_SIGNALS:
        signal.signal(signal_number, _pass_by)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _set_name(name)
    for each in closing:
        each.close()
    random.seed()


def _pass_by(_signal_number: int, _frame: FrameType | None) -> None:
    """Does nothing, as SIG_IGN; but that a program which is started from here would inherit."""


def lead_group() -> None:
    """Makes this process the first of a group: what it starts can be ended with it.

    Reading from a terminal would stop a process that is not in its foreground group, so there is none.
    """
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, _STANDARD_INPUT)
    os.close(nowhere)
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_be_plain)


def end_tree(pid: int) -> None:
    """Ends a running fork and all that it started, also what left its group for a session of its own.

    Only a process whose parent has ended, as a daemon's, is out of reach there.
    """
    started = list(_descendants_of(pid))
    _kill(pid)
    end_group(pid)
    for each in started:
        _kill(each)


def end_group(pid: int) -> None:
    """Ends what is left of the group that a fork led; it may have ended itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _descendants_of(pid: int) -> Iterator[int]:
    for child in _children_of(pid):
        yield child
        yield from _descendants_of(child)


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, or this is not Linux
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text("ascii").split())
    return children


def _hold_signals() -> None:
    """Keeps a signal waiting that comes just after a fork: a handler that does nothing would lose it."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _be_plain() -> None:
    """Lets a process that a job forks hear the signals that stop one."""
    for signal_number in STOPPING_SIGNALS:
        signal.signal(signal_number, signal.SIG_DFL)
    _release_signals()


def _die_with(parent_pid: int) -> None:
    """Has the kernel kill this process when its parent ends (on Linux; else its socket tells it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(EXIT_FAILED)


def _set_name(name: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15])
