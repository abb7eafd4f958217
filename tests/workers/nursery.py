"""Workers that are forked from a process which has imported what they need: most of a start is imports.

Such a worker is a process like any other, with an environment, a log and signals of its own. What a start
itself does (other settings, ``--reload``, another checkout) is tested with workers that are started anew.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

import django
from django.core.management import execute_from_command_line

_SURELY_ENDED = 60.0
_IMPORTED_BY_A_WORKER = "procrastinate_tasks.worker.supervisor"


class Nursery:
    """A process of this environment that forks workers; it ends with the process that uses it."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self._line, far_end = Pipe()
        command = [sys.executable, "-m", __name__, str(far_end.fileno())]
        self._process = subprocess.Popen(command, cwd=root, env=environment, pass_fds=[far_end.fileno()])
        far_end.close()
        atexit.register(self._end)
        self._codes: dict[int, int | None] = {}

    def start(self, arguments: list[str], *, log: Path) -> Fork:
        """Run ``manage.py`` with these arguments; what it prints is added to ``log``."""
        self._line.send((arguments, str(log)))
        while (pid := self._hear()) is None:
            pass
        return Fork(self, pid)

    def code_of(self, pid: int, *, within: float = 0) -> int | None:
        """Return a fork's exit code, as ``Popen`` writes it; None if it still runs after so many seconds."""
        deadline = time.monotonic() + within
        while self._line.poll(max(deadline - time.monotonic(), 0) if self._codes[pid] is None else 0):
            self._hear()
        return self._codes[pid]

    def _end(self) -> None:
        self._line.close()
        self._process.wait()

    def _hear(self) -> int | None:
        """Take one piece of news: a fork's pid, with its code if it has ended. Return one that has begun."""
        pid, code = self._line.recv()
        self._codes[pid] = code
        return pid if code is None else None


class Fork:
    """What ``Popen`` is for a process that this one has started itself."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    def poll(self) -> int | None:
        return self._nursery.code_of(self.pid)

    def wait(self, timeout: float = _SURELY_ENDED) -> int:
        code = self._nursery.code_of(self.pid, within=timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _serve(line: Connection) -> None:
    """Fork a worker at each request and tell when one has ended, until nobody asks any more."""
    running: dict[int, int] = {}
    while True:
        for ready in wait([line, *running]):
            if isinstance(ready, int):
                pid = running.pop(ready)
                os.close(ready)
                line.send((pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
                continue
            try:
                arguments, log = line.recv()
            except EOFError:
                return
            pid = os.fork()
            if pid == 0:
                line.close()
                return _become(arguments, Path(log), inherited=running)
            running[os.pidfd_open(pid)] = pid
            line.send((pid, None))


def _become(arguments: list[str], log: Path, *, inherited: Iterable[int]) -> None:
    for descriptor in inherited:
        os.close(descriptor)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = ["manage.py", *arguments]
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    django.setup()
    import_module(_IMPORTED_BY_A_WORKER)
    _serve(Connection(int(sys.argv[1])))
