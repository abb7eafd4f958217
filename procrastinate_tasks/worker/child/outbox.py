"""Sends finished runs to the worker: from any thread, several in one frame when they end together."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.worker.messages import ChildReady, JobsEnded, RetireMe, encode, longest_from_child

_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


class Outbox:
    """A queue of finished runs in front of the socket to the worker.

    Whoever finds nobody sending sends for all: under load the others' runs ride in the same frame.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._longest = longest_from_child()
        self._waiting: deque[Completion] = deque()
        self._sending = threading.Lock()
        self._asked: SimpleQueue[None] = SimpleQueue()
        self._is_asked = False

    def announce(self) -> None:
        """Tells the worker that this child takes jobs."""
        self.tell(ChildReady(os.getpid()))

    def ask_to_retire(self) -> None:
        """Asks the worker to give this child no further job and to replace it."""
        self.tell(RetireMe())

    def tell(self, message: object) -> None:
        """Sends any message at once, and then what others could not send meanwhile."""
        with self._sending:
            self._link.sendall(encode(message))
        self.flush()

    def add(self, end: Completion) -> None:
        """Queues a finished run; ``flush`` sends it."""
        self._waiting.append(end)

    def flush(self) -> None:
        """Sends what is queued, unless another thread is just sending: that one looks again afterwards."""
        while self._waiting and self._sending.acquire(blocking=False):
            try:
                self._send_waiting()
            finally:
                self._sending.release()

    def flush_soon(self) -> None:
        """Has ``serve`` send what is queued: a thread that ends a job need not leave the processor for it."""
        if not self._is_asked:
            self._is_asked = True
            self._asked.put(None)

    def serve(self) -> None:
        """Sends whenever asked to, for the rest of the process's life."""
        while True:
            self._asked.get()
            self._is_asked = False
            self.flush()

    def _send_waiting(self) -> None:
        ends = []
        while self._waiting:
            ends.append(self._waiting.popleft())
        if ends:
            for frame in _frames_of(ends, longest=self._longest):
                self._link.sendall(frame)


def _frames_of(ends: list[Completion], *, longest: int) -> Iterator[bytes]:
    """One frame, or as many as it takes for each to be short enough for the worker to read."""
    frame = encode(JobsEnded(ends, resident_bytes()))
    if len(frame) <= longest or len(ends) == 1:
        yield frame
        return
    half = len(ends) // 2
    yield from _frames_of(ends[:half], longest=longest)
    yield from _frames_of(ends[half:], longest=longest)


def resident_bytes() -> int:
    """Memory this process holds now, in bytes; 0 where the platform does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE_SIZE
    except OSError:
        return 0
