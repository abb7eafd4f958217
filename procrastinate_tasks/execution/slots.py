"""A slot: the place where a child runs one job at a time, and through which that job can be interrupted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from asgiref.sync import ThreadSensitiveContext
from django.db.backends.base.base import BaseDatabaseWrapper
from procrastinate.job_context import AbortReason

from procrastinate_tasks.engine.frames import Assignment


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """What runs here, until when it may, and the ways to reach it.

    Attributes:
        soft_at: When the soft limit falls due, on the monotonic clock; None once it was raised.
        thread_id: The thread that runs a sync job.
        wrappers: That thread's Django connections, so that another thread can cancel its query.
        task: The asyncio task that runs an async job.
        interruption: What an async job shall be told at its next await, instead of being cancelled.
        async_context: Gives the ORM calls of this slot's async jobs a thread and connection of their own.
    """

    index: int
    guard: threading.RLock = field(default_factory=threading.RLock)
    assignment: Assignment | None = None
    soft_at: float | None = None
    soft_seconds: float | None = None
    abort_reason: AbortReason | None = None
    thread_id: int | None = None
    wrappers: Sequence[BaseDatabaseWrapper] = ()
    task: asyncio.Task[None] | None = None
    interruption: BaseException | None = None
    async_context: ThreadSensitiveContext = field(default_factory=ThreadSensitiveContext)

    def occupy(self, assignment: Assignment, *, soft_seconds: float | None) -> None:
        """Takes a job in, which is interrupted after ``soft_seconds``."""
        with self.guard:
            self.assignment = assignment
            self.soft_seconds = soft_seconds
            self.soft_at = None if soft_seconds is None else time.monotonic() + soft_seconds
            self.abort_reason = None
            self.interruption = None

    def vacate(self) -> None:
        """Lets the job go; no interruption reaches this slot until the next one comes."""
        with self.guard:
            self.assignment = None
            self.soft_at = None
            self.task = None
            self.interruption = None

    def read_abort_reason(self) -> AbortReason | None:
        """Answers Procrastinate's ``context.should_abort()``."""
        return self.abort_reason
