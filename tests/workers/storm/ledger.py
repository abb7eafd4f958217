"""What the tasks write down themselves, in a file: a record that knows nothing of the queue's tables."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

PATH_VARIABLE = "STORM_LEDGER"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, on the monotonic clock of the machine.

    ``ended_at`` is None for a run that was cut off; ``raised`` tells one that ended by an exception.
    """

    id: str
    job_id: int
    key: int
    began_at: float
    ended_at: float | None = None
    raised: bool = False

    @property
    def is_complete(self) -> bool:
        return self.ended_at is not None and not self.raised


@contextmanager
def noted_run(*, job_id: int, key: int) -> Iterator[str]:
    """Notes the beginning and the end of a run, and gives its id, for the task to return."""
    run_id = uuid.uuid4().hex
    _write("began", run_id, job_id, key)
    try:
        yield run_id
    except BaseException:
        _write("raised", run_id, job_id, key)
        raise
    _write("ended", run_id, job_id, key)


def read_runs(path: Path) -> list[Run]:
    """Reads every run, in the order they began."""
    runs: dict[str, Run] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        event, run_id, job_id, key, at = line.split()
        if event == "began":
            runs[run_id] = Run(run_id, int(job_id), int(key), float(at))
        else:
            runs[run_id] = replace(runs[run_id], ended_at=float(at), raised=event == "raised")
    return list(runs.values())


def _write(event: str, run_id: str, job_id: int, key: int) -> None:
    """Appends one line, whole or not at all: one short write to a file that all processes append to."""
    os.write(_descriptor(), f"{event} {run_id} {job_id} {key} {time.monotonic():.6f}\n".encode())


@cache
def _descriptor() -> int:
    return os.open(os.environ[PATH_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
