"""The thread of a child that listens to the worker and watches the soft limits, whatever the jobs do."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections.abc import Callable, Sequence

from procrastinate.job_context import AbortReason

from procrastinate_tasks.engine.frames import AbortJob, FrameReader, Leave, RunJobs
from procrastinate_tasks.execution import interruption
from procrastinate_tasks.execution.slots import Slot

EXIT_ORPHANED = 70
_CHUNK = 1 << 18
_LONGEST_WAIT = 3600.0


class Control:
    """Reads the worker's messages, and exits when the worker is gone: nobody would record what runs on."""

    def __init__(
        self,
        *,
        link: socket.socket,
        slots: Sequence[Slot],
        accept: Callable[[RunJobs], None],
        leave: Callable[[], None],
    ) -> None:
        self._link = link
        self._slots = slots
        self._accept = accept
        self._leave = leave
        self._reader = FrameReader()

    def run(self) -> None:
        """Serves until the process ends."""
        while True:
            self.run_once()

    def run_once(self) -> None:
        """Waits for a message or the next soft limit, and acts on what came."""
        readable, _, _ = select.select([self._link], [], [], self._seconds_to_next_limit())
        if readable:
            self._read()
        self._raise_soft_limits()

    def _read(self) -> None:
        data = self._link.recv(_CHUNK)
        if not data:
            os._exit(EXIT_ORPHANED)
        for message in self._reader.feed(data):
            if isinstance(message, RunJobs):
                self._accept(message)
            elif isinstance(message, AbortJob):
                self._abort(message)
            elif isinstance(message, Leave):
                self._leave()

    def _abort(self, message: AbortJob) -> None:
        reason = AbortReason.SHUTDOWN if message.shutting_down else AbortReason.USER_REQUEST
        for slot in self._slots:
            with slot.guard:
                if slot.assignment is None or slot.assignment.job_id != message.job_id:
                    continue
                slot.abort_reason = reason
                if slot.task is not None:
                    slot.task.get_loop().call_soon_threadsafe(_cancel, slot, slot.task)

    def _seconds_to_next_limit(self) -> float:
        due = [slot.soft_at for slot in self._slots if slot.soft_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else _LONGEST_WAIT

    def _raise_soft_limits(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.soft_at is not None and slot.soft_at <= now:
                interruption.raise_soft_limit(slot)


def _cancel(slot: Slot, task: asyncio.Task[None]) -> None:
    if slot.task is task:
        task.cancel()
