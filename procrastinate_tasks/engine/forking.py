"""Forks a process that cannot outlive its parent, and leaves nothing of the parent's in it."""

from __future__ import annotations

import ctypes
import logging
import os
import random
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from procrastinate_tasks.engine.before_forking import require_fitness

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
EXIT_FAILED = 1


class Closable(Protocol):
    """What the parent holds open and the fork must not."""

    def close(self) -> None: ...


def fork(run: Callable[[], object], *, name: str, closing: Iterable[Closable]) -> int:
    """Forks a process that runs ``run`` and exits; returns its pid.

    Signals that stop the supervisor do not stop the fork: it is told.

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
        _prepare(parent_pid, name=name, closing=closing)
        run()
        exit_code = 0
    except BaseException:
        logger.exception("%s failed", name)
    finally:
        logging.shutdown()
        os._exit(exit_code)


def _prepare(parent_pid: int, *, name: str, closing: Iterable[Closable]) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _die_with(parent_pid)
    _set_name(name)
    for each in closing:
        each.close()
    random.seed()


def _die_with(parent_pid: int) -> None:
    """Has the kernel kill this process when its parent ends (on Linux; else its socket tells it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(EXIT_FAILED)


def _set_name(name: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15])
