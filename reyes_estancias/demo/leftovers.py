"""What demos leave behind: each process is noted in a file, by which the next demo knows it as ours.

``python -m reyes_estancias.demo.leftovers DIRECTORY`` ends a demo that runs, and what an earlier one left.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reyes_estancias.postgres.cluster import command_line

DEMO = "demo"
_SECONDS_TO_END = 40.0
_SECONDS_TO_START = 5.0


@dataclass(frozen=True, slots=True)
class Noted:
    """A living process that a demo has noted."""

    name: str
    pid: int

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@contextmanager
def noted(name: str, *, pid: int, directory: Path) -> Iterator[None]:
    """Have a process noted for the length of a ``with`` block; a note outlives only who wrote it and died."""
    note = directory / f"{name}.pid"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{pid}\n{_await_command_line(pid)}")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _await_command_line(pid: int) -> str:
    """Return how a process was started; that of one that starts this moment can be read a moment later."""
    give_up_at = time.monotonic() + _SECONDS_TO_START
    while not (told := command_line(pid)) and time.monotonic() < give_up_at:
        time.sleep(0.001)
    return told


def find_noted(directory: Path) -> list[Noted]:
    """Return the noted processes that live; a process id that somebody else has by now is none of ours."""
    return [found for note in sorted(directory.glob("*.pid")) if (found := _read(note)) is not None]


def _read(note: Path) -> Noted | None:
    pid, _, told = note.read_text().partition("\n")
    return Noted(note.stem, int(pid)) if pid.isdigit() and told and command_line(int(pid)) == told else None


def end(found: Noted) -> None:
    """End a noted process as its demo would have: it is asked, and after a while made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        told = command_line(found.pid)
        with suppress(ProcessLookupError):
            os.kill(found.pid, number)
        give_up_at = time.monotonic() + _SECONDS_TO_END
        while told and command_line(found.pid) == told and time.monotonic() < give_up_at:
            time.sleep(0.05)
        if command_line(found.pid) != told:
            return


def main() -> None:
    """End the demo first, which ends its own; then what is left of one that could not."""
    directory = Path(sys.argv[1])
    for found in sorted(find_noted(directory), key=lambda one: one.name != DEMO):
        end(found)
        sys.stdout.write(f"Ended the {found}.\n")


if __name__ == "__main__":
    main()
