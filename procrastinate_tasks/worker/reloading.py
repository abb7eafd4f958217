"""``--reload``: a worker that starts anew when a file of the project changes, for development.

The outer process starts the worker as a process of its own, and again whenever that ends with
``EXIT_RELOAD``. The worker's supervisor, which has no other thread, looks at the files itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from django.utils import autoreload

EXIT_RELOAD = 3

_MARK = "PROCRASTINATE_TASKS_RELOADS"
_SECONDS_BETWEEN_LOOKS = 1.0


def is_outer() -> bool:
    """Whether this process is the one that a person started, and not the worker inside."""
    return _MARK not in os.environ


class FileWatch:
    """Knows the Python files that are loaded, and whether one has changed since it first looked."""

    def __init__(self) -> None:
        self._known = _times_of_files()
        self._looked = time.monotonic()
        self._parent = os.getppid()

    def is_left_alone(self) -> bool:
        """Whether the outer process is gone, and nobody would start this one anew."""
        return os.getppid() != self._parent

    def find_change(self) -> Path | None:
        """Return a file that changed, at most once a second."""
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return None
        self._looked = time.monotonic()
        now = _times_of_files()
        found = next((file for file in now if self._known.get(file, now[file]) != now[file]), None)
        self._known = {**now, **self._known}
        return found


def _times_of_files() -> Mapping[Path, float]:
    times = {}
    for file in autoreload.iter_all_python_module_files():
        try:
            times[file] = file.stat().st_mtime
        except OSError:
            continue
    return times


def run_reloading() -> int:
    """Run this command again inside, for as long as it asks to be started anew; return its exit code.

    One that cannot start, as after a slip in a file, is started again once a file changes.
    """
    outer = _Outer()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, outer.pass_on)
    return outer.run()


class _Outer:
    def __init__(self) -> None:
        self._inner: subprocess.Popen[bytes] | None = None
        self._is_stopping = False

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on, but for those that the terminal has sent to the inner process as well."""
        self._is_stopping = True
        if self._inner is not None and not (number == signal.SIGINT and sys.stdin.isatty()):
            self._inner.send_signal(number)

    def run(self) -> int:
        while True:
            watch = FileWatch()
            self._inner = subprocess.Popen(  # noqa: S603 - our own command line
                autoreload.get_child_arguments(), env={**os.environ, _MARK: "1"}
            )
            code = self._inner.wait()
            if self._is_stopping or code == 0:
                return code
            if code != EXIT_RELOAD:
                print("The worker could not go on; it waits for a file to change.", file=sys.stderr)  # noqa: T201
                while not self._is_stopping and watch.find_change() is None:
                    time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
                if self._is_stopping:
                    return code
