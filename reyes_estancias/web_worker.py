"""A gunicorn worker whose threads never wait for a client.

gunicorn's own gives a connection to a thread at once, and the thread then reads headers and body at the
client's pace: a few slow clients hold all of them. Here the loop that accepts connections collects each
request first, as a buffering proxy does, and only a whole one takes a thread.

What it cannot do: a flood. Thousands of connections still crowd out others; then the oldest unfinished
request goes first. An answer larger than the kernel's buffer is sent at the client's pace, for
``SEND_SECONDS`` between two of its reads.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from reyes_estancias.arrivals import Arrival, Verdict

REQUEST_SECONDS = 10.0
SEND_SECONDS = 10
MOST_WAITING_BYTES = 32 * 1024 * 1024
SHARE_THAT_MAY_WAIT = 0.8
_SEND_BUFFER = 256 * 1024
_AT_ONCE = 64 * 1024


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """Gives a thread whole requests only; everything here runs in the loop that accepts connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[TConn, Arrival] = {}  # the oldest first
        self._waiting_bytes = 0

    def enqueue_req(self, conn: TConn) -> None:
        """Collect the request of a connection that is new, or has something to read again."""
        arrival = Arrival(deadline=time.monotonic() + REQUEST_SECONDS)
        leftover = conn.parser.unreader.take_buffered() if conn.initialized else b""
        conn.sock.setblocking(False)
        self._arriving[conn] = arrival
        self.poller.register(conn.sock, EVENT_READ, partial(self._read_on, conn))
        self._take(conn, arrival, leftover)
        if conn in self._arriving:
            self._read_on(conn, conn.sock)
        self._make_room()

    def murder_pending(self) -> None:
        """End requests that take too long; a worker that stops waits for none that has not begun."""
        super().murder_pending()
        now = time.monotonic()
        for conn, arrival in list(self._arriving.items()):
            if arrival.deadline < now:
                self._refuse(conn, HTTPStatus.REQUEST_TIMEOUT)
            elif not self.alive and not arrival.data:
                self._drop(conn)

    def _read_on(self, conn: TConn, _sock: socket.socket) -> None:
        try:
            data = conn.sock.recv(_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self._take(conn, self._arriving[conn], data)
        else:
            self._drop(conn)  # The client has gone.

    def _take(self, conn: TConn, arrival: Arrival, data: bytes) -> None:
        self._waiting_bytes += len(data)
        verdict = arrival.take(data)
        if verdict is Verdict.COMPLETE:
            self._hand_over(conn)
        elif verdict is not Verdict.WAIT:
            self._refuse(conn, HTTPStatus(verdict))
        elif arrival.wants_permission:
            arrival.wants_permission = False
            _send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _hand_over(self, conn: TConn) -> None:
        arrival = self._forget(conn)
        conn.init()
        conn.parser.unreader.unread(bytes(arrival.data))
        _bound_waiting(conn.sock)
        super().enqueue_req(conn)

    def _refuse(self, conn: TConn, status: HTTPStatus) -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        _send(conn, head.encode())
        self._drop(conn)

    def _drop(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _forget(self, conn: TConn) -> Arrival:
        arrival = self._arriving.pop(conn)
        self._waiting_bytes -= len(arrival.data)
        self.poller.unregister(conn.sock)
        return arrival

    def _make_room(self) -> None:
        most = int(self.worker_connections * SHARE_THAT_MAY_WAIT)
        while len(self._arriving) > most or self._waiting_bytes > MOST_WAITING_BYTES:
            self._drop(next(iter(self._arriving)))


def _bound_waiting(sock: socket.socket) -> None:
    """Bound each wait of a thread for this client; Python's own time-outs gunicorn takes off again."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    seconds = struct.pack("ll", SEND_SECONDS, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)


def _send(conn: TConn, data: bytes) -> None:
    with suppress(OSError):  # The end of the connection tells it too.
        conn.sock.send(data)
