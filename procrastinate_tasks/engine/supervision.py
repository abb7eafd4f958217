"""What supervisor and worker tell each other; the channel also carries the children's sockets."""

from __future__ import annotations

import array
import socket
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from procrastinate_tasks.exchange.frames import FrameReader, encode

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
    """Supervisor to worker: claim no more, finish what runs, exit."""


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
