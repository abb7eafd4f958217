"""The threads of a child: one for each sync job that runs at the same time, started when first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from procrastinate_tasks.exchange.frames import Assignment
from procrastinate_tasks.execution.slots import Slot

RunInSlot = Callable[[Slot, Assignment], None]


class SlotThreads:
    """Runs each sync job in the thread that belongs to its slot, so that its connection is reused with it."""

    def __init__(self, run: RunInSlot) -> None:
        self._run = run
        self._queues: dict[int, SimpleQueue[Assignment]] = {}

    def submit(self, slot: Slot, assignment: Assignment) -> None:
        """Starts the job; its slot is free, hence so is the thread."""
        queue = self._queues.get(slot.index)
        if queue is None:
            queue = self._queues[slot.index] = SimpleQueue()
            name = f"slot-{slot.index}"
            threading.Thread(target=self._serve, args=(slot, queue), name=name, daemon=True).start()
        queue.put(assignment)

    def _serve(self, slot: Slot, queue: SimpleQueue[Assignment]) -> None:
        while True:
            self._run(slot, queue.get())
