"""Passes on what running jobs say of their progress: once a second at most, in the end their last word."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from procrastinate_tasks.jobs.context import Progress

_SECONDS_BETWEEN = 1.0


class ProgressListener(Protocol):
    """Who is told how far jobs have come: a child's reporter, or a test's."""

    def report(self, progress: Progress) -> None:
        """Takes what a job says."""

    def close(self, job_id: int) -> None:
        """Takes note that a job has ended; it says no more."""


class ProgressReporter:
    """Reports for all jobs of a child, from a thread of its own: a job may be interrupted at any line.

    ``report`` is called in the job, ``close`` once nothing interrupts it any more.
    """

    def __init__(self, send: Callable[[Progress], None]) -> None:
        self._send = send
        self._waiting: dict[int, Progress] = {}
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._is_asked = False

    def report(self, progress: Progress) -> None:
        """Takes what a job says; only the last of it is passed on."""
        self._waiting[progress.job_id] = progress
        if not self._is_asked:
            self._is_asked = True
            self._asked.put(None)

    def close(self, job_id: int) -> None:
        """Passes on what a job said last, before it ends."""
        last = self._waiting.pop(job_id, None)
        if last is not None:
            self._send(last)

    def serve(self) -> None:
        """Passes on whenever there is something, for the rest of the process's life."""
        while True:
            self._asked.get()
            self._is_asked = False
            for job_id in list(self._waiting):
                self.close(job_id)
            time.sleep(_SECONDS_BETWEEN)
