"""A slot: the place where a child runs one job at a time, and its threads, started when first needed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db.backends.base.base import BaseDatabaseWrapper
from procrastinate.job_context import AbortReason

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.options import TimeLimits

current_slot: ContextVar[Slot | None] = ContextVar("procrastinate_tasks_slot", default=None)


@dataclass(slots=True, kw_only=True, eq=False)
class Slot:
    """What runs here, until when it may, and the ways to reach it.

    Attributes:
        soft_at: When the soft limit falls due, on the monotonic clock; None once it was raised.
        abort_at: When a sync job that was asked to stop is made to; None once ``JobAborted`` was raised.
        hard_at: When the worker will have the process killed; None once the job's stack was told.
        thread_id: The thread that runs a sync job.
        connections: Django's connections that its job may use, so that another thread can cancel a query:
            those of the thread that runs a sync job, those that this slot's async jobs opened.
        task: The asyncio task that runs an async job, and ``coroutine`` the job itself.
        interruption: What an async job shall be told at its next await, instead of being cancelled.
        was_struck: An exception was sent to the thread, which may still be on its way there.
        async_context: Gives the ORM calls of this slot's async jobs a thread and connection of their own;
            None in a test, whose transaction they could not see.
    """

    index: int
    guard: threading.RLock = field(default_factory=threading.RLock)
    assignment: ClaimedJob | None = None
    soft_at: float | None = None
    soft_seconds: float | None = None
    hard_at: float | None = None
    abort_at: float | None = None
    abort_reason: AbortReason | None = None
    thread_id: int | None = None
    connections: set[BaseDatabaseWrapper] = field(default_factory=set)
    task: asyncio.Task[Any] | None = None
    coroutine: Coroutine[Any, Any, Any] | None = None
    interruption: BaseException | None = None
    was_struck: bool = False
    async_context: ThreadSensitiveContext | None = field(default_factory=ThreadSensitiveContext)
    async_connections: set[BaseDatabaseWrapper] = field(default_factory=set)

    def occupy(self, assignment: ClaimedJob, limits: TimeLimits) -> None:
        """Takes a job in, with its limits."""
        now = time.monotonic()
        with self.guard:
            self.assignment = assignment
            self.soft_seconds = limits.soft
            self.soft_at = None if limits.soft is None else now + limits.soft
            self.hard_at = None if limits.hard is None else now + limits.hard
            self.abort_at = None
            self.abort_reason = None
            self.interruption = None
            self.connections = self.async_connections

    def vacate(self) -> None:
        """Lets the job go; no interruption reaches this slot until the next one comes."""
        with self.guard:
            self.assignment = None
            self.soft_at = None
            self.hard_at = None
            self.abort_at = None
            self.thread_id = None
            self.task = None
            self.coroutine = None
            self.interruption = None

    def read_abort_reason(self) -> AbortReason | None:
        """Answers Procrastinate's ``context.should_abort()``."""
        return self.abort_reason


RunInSlot = Callable[[Slot, ClaimedJob], None]


class JobThreads:
    """Runs each sync job at once in a free thread, which keeps its database connection for the next one.

    The threads share a queue: one that ends a short job takes the next without a switch to another thread.
    """

    def __init__(self, run: RunInSlot, *, most: int) -> None:
        self._run = run
        self._most = most
        self._submitted: SimpleQueue[tuple[Slot, ClaimedJob]] = SimpleQueue()
        self._guard = threading.Lock()
        self._unfinished = 0
        self._threads = 0

    def submit(self, slot: Slot, assignment: ClaimedJob) -> None:
        """Starts the job: there is a free thread for it, or a new one."""
        with self._guard:
            self._unfinished += 1
            is_short = self._threads < min(self._unfinished, self._most)
            self._threads += is_short
        self._submitted.put((slot, assignment))
        if is_short:
            threading.Thread(target=self._serve, name=f"jobs-{self._threads}", daemon=True).start()

    def _serve(self) -> None:
        connections: set[BaseDatabaseWrapper] = set()
        while True:
            slot, assignment = self._submitted.get()
            slot.connections = connections
            self._run(slot, assignment)
            with self._guard:
                self._unfinished -= 1
