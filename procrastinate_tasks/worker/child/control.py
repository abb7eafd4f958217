"""The thread of a child that listens to the worker and watches the soft limits, whatever the jobs do."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import Any

from procrastinate.job_context import AbortReason

from procrastinate_tasks.jobs.attempts import storable
from procrastinate_tasks.jobs.values import name_of
from procrastinate_tasks.worker.child import interruption
from procrastinate_tasks.worker.child.outbox import Outbox
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.messages import (
    AbortJob,
    AskedStack,
    AskStack,
    FrameReader,
    Leave,
    OverdueStack,
    RunJobs,
)

EXIT_ORPHANED = 70


_CHUNK = 1 << 18


_LONGEST_WAIT = 3600.0


# A sync job that asks ``should_abort()`` gets this long to end in its own way.
_POLITE_SECONDS = 2.0


class Control:
    """Reads the worker's messages, and exits when the worker is gone: nobody would record what runs on."""

    def __init__(
        self,
        *,
        link: socket.socket,
        slots: Sequence[Slot],
        outbox: Outbox,
        accept: Callable[[RunJobs], None],
        leave: Callable[[], None],
    ) -> None:
        self._link = link
        self._slots = slots
        self._outbox = outbox
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
        now = time.monotonic()
        for slot in self._slots:
            self._enforce_limits(slot, now)

    def _read(self) -> None:
        data = self._link.recv(_CHUNK)
        if not data:
            os._exit(EXIT_ORPHANED)
        for message in self._reader.feed(data):
            if isinstance(message, RunJobs):
                self._accept(message)
            elif isinstance(message, AbortJob):
                self._abort(message)
            elif isinstance(message, AskStack):
                self._answer(message.job_id)
            elif isinstance(message, Leave):
                self._leave()

    def _answer(self, job_id: int) -> None:
        """Tells where a job stands, which goes on meanwhile; nothing of one that has ended."""
        for slot in self._slots:
            with slot.guard:
                if slot.assignment is not None and slot.assignment.job_id == job_id:
                    self._outbox.tell(AskedStack(job_id, stack_of(slot, heading=_NOW)))

    def _abort(self, message: AbortJob) -> None:
        reason = AbortReason.SHUTDOWN if message.shutting_down else AbortReason.USER_REQUEST
        for slot in self._slots:
            with slot.guard:
                if slot.assignment is None or slot.assignment.job_id != message.job_id:
                    continue
                is_news = slot.abort_reason is None
                slot.abort_reason = reason
                if slot.task is not None:
                    slot.task.get_loop().call_soon_threadsafe(_cancel, slot, slot.task)
                elif is_news and not message.shutting_down:
                    slot.abort_at = time.monotonic() + _POLITE_SECONDS

    def _seconds_to_next_limit(self) -> float:
        limits = [
            limit
            for slot in self._slots
            for limit in (slot.soft_at, slot.abort_at, slot.hard_at)
            if limit is not None
        ]
        return max(0.0, min(limits) - time.monotonic()) if limits else _LONGEST_WAIT

    def _enforce_limits(self, slot: Slot, now: float) -> None:
        if slot.soft_at is not None and slot.soft_at <= now:
            interruption.raise_soft_limit(slot)
        if slot.abort_at is not None and slot.abort_at <= now:
            interruption.raise_abortion(slot)
        if slot.hard_at is not None and slot.hard_at <= now:
            self._tell_stack(slot)

    def _tell_stack(self, slot: Slot) -> None:
        """The worker is about to have this process killed; the record should say where the job stood."""
        with slot.guard:
            slot.hard_at = None
            if slot.assignment is not None:
                self._outbox.tell(OverdueStack(slot.assignment.job_id, stack_of(slot)))


def _cancel(slot: Slot, task: asyncio.Task[Any]) -> None:
    if slot.task is task:
        task.cancel()


_HEADING = "Where the job stood when its time was up (most recent call last):\n"


_NOW = "Where the job stands (most recent call last):\n"


_MOST_FRAMES = 150


_LONGEST_STACK = 20_000


def stack_of(slot: Slot, *, heading: str = _HEADING) -> str:
    """The stack of the slot's job: of its thread, or of the await an async job is suspended at.

    It is as long as a record takes, and whatever a job awaits ends neither the question nor the process.
    """
    try:
        frames = list(islice(_frames_of_await(slot.coroutine), _MOST_FRAMES))
    except Exception as fault:
        return f"{heading}(what it awaits cannot be followed: {name_of(type(fault))})\n"
    if not frames:
        thread_id = slot.thread_id or threading.main_thread().ident or 0
        frames = list(islice(traceback.walk_stack(sys._current_frames().get(thread_id)), _MOST_FRAMES))
        frames.reverse()
    stack = "".join(traceback.StackSummary.extract(iter(frames)).format())
    return storable(heading + stack[-_LONGEST_STACK:])


def _frames_of_await(awaited: Any) -> Iterator[tuple[FrameType, int]]:
    """Follows a suspended coroutine to what it awaits; nothing for one that is being executed."""
    while awaited is not None and not getattr(awaited, "cr_running", False):
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            return
        yield frame, frame.f_lineno
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
