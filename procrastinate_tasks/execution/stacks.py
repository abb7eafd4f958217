"""Where a job stands: its stack, taken from outside, for the record of a job that must be ended."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from procrastinate_tasks.execution.slots import Slot

_HEADING = "Where the job stood when its time was up (most recent call last):\n"


def stack_of(slot: Slot) -> str:
    """The stack of the slot's job: of its thread, or of the await an async job is suspended at."""
    frames = list(_frames_of_await(slot.coroutine))
    if not frames:
        thread_id = slot.thread_id or threading.main_thread().ident or 0
        frames = [(frame, line) for frame, line in traceback.walk_stack(sys._current_frames().get(thread_id))]
        frames.reverse()
    return _HEADING + "".join(traceback.StackSummary.extract(iter(frames)).format())


def _frames_of_await(awaited: Any) -> Iterator[tuple[FrameType, int]]:
    """Follows a suspended coroutine to what it awaits; nothing for one that is being executed."""
    while awaited is not None and not getattr(awaited, "cr_running", False):
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            return
        yield frame, frame.f_lineno
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
