"""What a job changed for its whole process is put back, so that the next one begins as in a fresh one.

With one job at a time that is at its end. Where several run side by side a change may be one that a neighbour
makes for a moment, so it is put back when no other runs, or when it has outlived all that ran when it was
seen. What cannot be put back has the process replaced: a limit that may only be lowered, a closed stream.

What it does not see is told in ``docs/queue/guarantees.md``, **Between jobs**.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from procrastinate_tasks.jobs.values import name_of
from procrastinate_tasks.worker.child.process_parts import Part, part_of_loop, parts_of_process
from procrastinate_tasks.worker.child.slots import Slot

logger = logging.getLogger(__name__)

# How often to look while several jobs run side by side: then it is not the job that pays.
_SECONDS_BETWEEN = 0.1


class ProcessState:
    """Remembers how its process is when made, before the first job; ``put_back`` makes it so again.

    Args:
        slots: all of this child's, to know who runs; ``guard`` is held while jobs are put there.
        retire: has this child replaced.
        loop: the event loop that the jobs share.
    """

    def __init__(
        self, slots: Sequence[Slot], *, retire: Callable[[], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.guard = threading.Lock()
        self._slots = slots
        self._retire = retire
        self._is_as_it_was = True
        self._kept = [(part, part.read()) for part in [*parts_of_process(), part_of_loop(loop)]]
        self._recursion_limit = sys.getrecursionlimit()
        self._modules = len(sys.modules)
        self._suspects: set[int] = set()
        self._look_after = 0.0
        self._clock = time.monotonic  # the true one, whatever a job puts in its place

    def put_back(self, slot: Slot) -> str:
        """Put back what the slot's job has left changed, and say in words what that was; "" for nothing.

        To be called in the thread that ran the job, before anything else is done there.
        """
        is_lowered = sys.getrecursionlimit() < self._recursion_limit
        if is_lowered:
            sys.setrecursionlimit(self._recursion_limit)  # first of all: nothing else can be relied on
        try:
            with self.guard:
                left = [*["the recursion limit"] * is_lowered, *self._put_back_parts(slot)]
        except Exception as fault:
            left = [f"what cannot be looked at ({name_of(type(fault))})"]
            self._give_up()
        return self._tell(" and ".join(left)) if left else ""

    def _tell(self, left: str) -> str:
        done = "put back" if self._is_as_it_was else "this process is replaced"
        logger.warning("A job left behind: %s; %s", left, done, extra={"event": "job_left_behind"})
        is_of_this_job = len(self._slots) == 1
        return f"(left behind: {left}; {done})" if is_of_this_job else ""

    def _put_back_parts(self, slot: Slot) -> list[str]:
        if self._clock() < self._look_after and any(self._jobs_beside(slot)):
            return []
        others = set(self._jobs_beside(slot))
        if not others:
            faulthandler.cancel_dump_traceback_later()  # it may end the process, and cannot be seen
        self._look_after = self._clock() + _SECONDS_BETWEEN
        changed = self._changed(is_at_rest=not others)
        if not changed:
            self._suspects = set()
        if not changed or self._may_be_undone_by(others):
            return []
        changed = self._without_those_of_modules(changed)
        for part, kept in changed:
            self._write(part, kept)
        return [part.name for part, _ in changed]

    def _jobs_beside(self, slot: Slot) -> Iterator[int]:
        return (each.assignment.job_id for each in self._slots if each is not slot and each.assignment)

    def _changed(self, *, is_at_rest: bool) -> list[tuple[Part, Any]]:
        is_main = threading.current_thread() is threading.main_thread()
        return [
            (part, kept)
            for part, kept in self._kept
            if (is_main or not part.needs_main_thread)
            and (is_at_rest or not part.needs_rest)
            and part.read() != kept
        ]

    def _may_be_undone_by(self, others: set[int]) -> bool:
        """Whether one of those still runs who may have made the change for a moment."""
        self._suspects = self._suspects & others if self._suspects else others
        return bool(self._suspects)

    def _without_those_of_modules(self, changed: list[tuple[Part, Any]]) -> list[tuple[Part, Any]]:
        has_imported, self._modules = len(sys.modules) != self._modules, len(sys.modules)
        if not has_imported:
            return changed
        new = {part.name: part.read() for part, _ in changed if part.is_for_modules}
        self._kept = [(part, new.get(part.name, kept)) for part, kept in self._kept]
        return [(part, kept) for part, kept in changed if part.name not in new]

    def _write(self, part: Part, kept: Any) -> None:
        try:
            part.write(kept)
            is_back = part.read() == kept
        except (OSError, ValueError, RuntimeError):
            is_back = False
        if not is_back:
            self._give_up()

    def _give_up(self) -> None:
        self._is_as_it_was = False
        self._retire()
