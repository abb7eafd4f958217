"""Frames between a worker, its children and its supervisor: length-prefixed pickles on a socket pair."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from procrastinate_tasks.conf import queue_settings

_MARK = 0x70F5  # bytes that somebody else wrote into the socket hardly begin with it
_HEADER = struct.Struct("!HI")
_LONGEST = 64 << 20


class FrameUnreadable(Exception):
    """What came through a socket is no frame of ours; the rest of the stream cannot be read either."""


def longest_from_child() -> int:
    """The most bytes in one frame from a child: one end with its return value fits, and so do many."""
    return _LONGEST + queue_settings().max_result_bytes


class Assignment(NamedTuple):
    """A claimed job on its way to a child. A tuple, because thousands of them travel each second.

    ``refusals`` is how often this worker gave it back because its process could not connect to the database.
    """

    job_id: int
    task_name: str
    queue_name: str
    priority: int
    lock: str | None
    queueing_lock: str | None
    args_json: str
    scheduled_at: datetime | None
    attempts: int
    worker_id: int | None
    crashes: int
    refusals: int = 0


class RunEnd(NamedTuple):
    """How one run of a job ended: what becomes of the job, and what is stored of the attempt.

    ``status`` is the one the job should get (``todo`` puts it back), ``outcome`` a ``results.Outcome`` value.
    ``started_at`` and ``finished_at`` are on the host's monotonic clock, which its processes share and nobody
    sets; ``retry_at`` is on its calendar. The database is told how long ago, or in how long, that is.
    """

    job_id: int
    worker_id: int | None
    attempts: int
    status: str
    outcome: str
    task_name: str
    queue_name: str
    started_at: float
    finished_at: float
    counts_attempt: bool = True
    retry_at: datetime | None = None
    priority: int | None = None
    queue: str | None = None
    lock: str | None = None
    result: str | None = None
    exception_class: str = ""
    message: str = ""
    traceback: str = ""
    fingerprint: str = ""
    could_not_connect: bool = False


class ChildReady(NamedTuple):
    """A child has started and takes jobs."""

    pid: int


class RetireMe(NamedTuple):
    """A child asks to be replaced once its running jobs have ended."""


class SlotsRefused(NamedTuple):
    """So many slots of a child wait for a connection to the database, since the reason it was told."""

    slots: int
    reason: str


class OverdueStack(NamedTuple):
    """Where a job stood when its hard limit fell due, as far as Python could tell."""

    job_id: int
    stack: str


class RunJobs(NamedTuple):
    """Run these jobs now; the child has a free slot for each."""

    assignments: list[Assignment]


class Leave(NamedTuple):
    """Nothing runs and nothing more will come: exit."""


class AbortJob(NamedTuple):
    """Someone asked for this running job to stop, or the worker is shutting down."""

    job_id: int
    shutting_down: bool


class JobsEnded(NamedTuple):
    """Finished runs, and how much memory the child holds now (0 where the platform cannot say)."""

    ends: list[RunEnd]
    rss_bytes: int


def encode(message: object) -> bytes:
    """The bytes of one message, ready to be sent."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(_MARK, len(body)) + body


class FrameReader:
    """Cuts a byte stream back into messages.

    Args:
        longest: the most bytes in one message, where code that is not ours can write to the other end.
    """

    __slots__ = ("_buffer", "_longest")

    def __init__(self, *, longest: int | None = None) -> None:
        self._buffer = bytearray()
        self._longest = longest

    def feed(self, data: bytes) -> Iterator[object]:
        """Yields every message that ``data`` completes.

        Raises:
            FrameUnreadable: The next one is too long, or none of ours.
        """
        self._buffer += data
        position = 0
        while len(self._buffer) - position >= _HEADER.size:
            mark, size = _HEADER.unpack_from(self._buffer, position)
            if mark != _MARK or (self._longest is not None and size > self._longest):
                raise FrameUnreadable(f"a frame of {size} bytes with the mark {mark:#x}")
            end = position + _HEADER.size + size
            if len(self._buffer) < end:
                break
            yield _decode(self._buffer[position + _HEADER.size : end])
            position = end
        del self._buffer[:position]


def _decode(body: bytearray) -> object:
    try:
        return pickle.loads(body)  # noqa: S301 - our own processes
    except Exception as error:
        raise FrameUnreadable(
            f"a frame of {len(body)} bytes that is no message: {type(error).__name__}"
        ) from error
