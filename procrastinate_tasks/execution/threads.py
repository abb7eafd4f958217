"""The threads of a child: as many as sync jobs run at the same time, started when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from django.db.backends.base.base import BaseDatabaseWrapper

from procrastinate_tasks.exchange.frames import Assignment
from procrastinate_tasks.execution.slots import Slot

RunInSlot = Callable[[Slot, Assignment], None]


class JobThreads:
    """Runs each sync job at once in a free thread, which keeps its database connection for the next one.

    The threads share a queue: one that ends a short job takes the next without a switch to another thread.
    """

    def __init__(self, run: RunInSlot, *, most: int) -> None:
        self._run = run
        self._most = most
        self._submitted: SimpleQueue[tuple[Slot, Assignment]] = SimpleQueue()
        self._guard = threading.Lock()
        self._unfinished = 0
        self._threads = 0

    def submit(self, slot: Slot, assignment: Assignment) -> None:
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
