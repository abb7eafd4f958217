"""The slots of a child that cannot connect to the database: each takes no job until its own thread can."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress

from asgiref.sync import SyncToAsync, sync_to_async

from procrastinate_tasks.worker.child.outbox import Outbox
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.messages import SlotsRefused
from procrastinate_tasks.worker.reachability import look_for_refusal
from procrastinate_tasks.worker.sessions import close_connections

_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Connecting:
    """Tells the worker how many slots wait for a connection, and lets them wait.

    A job connects in the thread of its slot, so the wait is there too: the connection that it wins is the
    next job's, and slots that have one go on meanwhile.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._guard = threading.Lock()
        self._refused = 0
        self._is_leaving = threading.Event()

    def leave(self) -> None:
        """Ends all waits."""
        self._is_leaving.set()

    def refuse(self, reason: str, *, slots: int = 1) -> None:
        """Tells of slots that take no job from now on."""
        self._count(slots, reason)

    def accept(self, *, slots: int = 1) -> None:
        """Tells that they do again."""
        self._count(-slots, "")

    def wait(self) -> None:
        """Returns once this thread has a connection, or the process is to end."""
        pause = _SHORTEST_PAUSE
        while not self._is_leaving.wait(_spread(pause)) and look_for_refusal():
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def wait_on_loop(self, slot: Slot) -> None:
        """Does so for the thread of a slot's async jobs; the loop cancels it when the process is to end."""
        if slot.async_context is not None:
            SyncToAsync.thread_sensitive_context.set(slot.async_context)
        pause = _SHORTEST_PAUSE
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(_spread(pause))
            while await sync_to_async(look_for_refusal)():
                pause = min(2 * pause, _LONGEST_PAUSE)
                await asyncio.sleep(_spread(pause))

    def begin(self, *, slots: int) -> None:
        """Waits until a new process has reached the database once; it keeps no connection."""
        try:
            if reason := look_for_refusal():
                self.refuse(reason, slots=slots)
                self.wait()
                self.accept(slots=slots)
        finally:
            close_connections()

    def _count(self, slots: int, reason: str) -> None:
        with self._guard:
            self._refused += slots
            self._outbox.tell(SlotsRefused(self._refused, " ".join(reason.split())))


def _spread(pause: float) -> float:
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
