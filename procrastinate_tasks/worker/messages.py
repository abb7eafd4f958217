"""Messages between a supervisor, its worker and their children: length-prefixed pickles on a socket pair.

The supervisor's channel also carries the children's sockets.
"""

from __future__ import annotations

import array
import pickle
import socket
import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import Completion

_MARK = 0x70F5  # bytes that somebody else wrote into the socket hardly begin with it


_HEADER = struct.Struct("!HI")


_LONGEST = 64 << 20


class FrameUnreadable(Exception):
    """What came through a socket is no frame of ours; the rest of the stream cannot be read either."""


def longest_from_child() -> int:
    """The most bytes in one frame from a child: one end with its return value fits, and so do many."""
    return _LONGEST + queue_settings().max_result_bytes


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


class AskStack(NamedTuple):
    """Somebody wants to know where a running job stands."""

    job_id: int


class AskedStack(NamedTuple):
    """Where a job stands, as far as Python can tell."""

    job_id: int
    stack: str


class RunJobs(NamedTuple):
    """Run these jobs now; the child has a free slot for each."""

    assignments: list[ClaimedJob]


class Leave(NamedTuple):
    """Nothing runs and nothing more will come: exit."""


class AbortJob(NamedTuple):
    """Someone asked for this running job to stop, or the worker is shutting down."""

    job_id: int
    shutting_down: bool


class JobsEnded(NamedTuple):
    """Waiting runs, and how much memory the child holds now (0 where the platform cannot say)."""

    ends: list[Completion]
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


_MOST_SOCKETS = 16


_CHUNK = 1 << 16


class ForkChild(NamedTuple):
    """Worker to supervisor: fork a child with this number."""

    number: int


class KillChild(NamedTuple):
    """Worker to supervisor: end this child now; its exit is reported as any other."""

    number: int


class WorkerRegistered(NamedTuple):
    """Worker to supervisor: the id under which it claims, for its successor to give the jobs back."""

    worker_id: int


class WorkerAlive(NamedTuple):
    """Worker to supervisor: its event loop turns."""


class Drained(NamedTuple):
    """Worker to supervisor: everything is settled; the end."""


class ChildForked(NamedTuple):
    """Supervisor to worker: the child runs; its socket comes with this message."""

    number: int
    pid: int
    application_name: str


class ChildExited(NamedTuple):
    """Supervisor to worker: the child is gone, and what it left behind.

    ``signal_number`` is 0 when it exited by itself, with ``exit_code``.
    """

    number: int
    pid: int
    exit_code: int
    signal_number: int
    peak_memory_bytes: int
    last_log_lines: str


class Drain(NamedTuple):
    """Supervisor to worker: claim no more, finish what runs, exit; ``at_once``: give back what runs."""

    at_once: bool = False


class Channel:
    """One end of the socket pair; messages in order, each with at most one socket."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._reader = FrameReader()
        self._sockets: deque[socket.socket] = deque()

    def send(self, message: object, *, passing: socket.socket | None = None) -> None:
        """Sends a message.

        Raises:
            OSError: The other side is gone.
        """
        data = encode(message)
        if passing is not None:
            rights = array.array("i", [passing.fileno()])
            sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            data = data[sent:]
        self.socket.sendall(data)

    def receive(self) -> Iterator[object] | None:
        """Reads what has come; None when the other side is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self.socket, _CHUNK, _MOST_SOCKETS)
        except ConnectionError:
            return None
        self._sockets.extend(socket.socket(fileno=fd) for fd in fds)
        return self._reader.feed(data) if data else None

    def take_socket(self) -> socket.socket:
        """The socket that came with the message just read."""
        return self._sockets.popleft()
