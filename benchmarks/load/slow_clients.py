"""Clients that take their time: each holds a connection, sends a byte now and then, and comes again."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

HEAD = b"POST /webhooks/stripe/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
OPENINGS = {
    "a body byte by byte": HEAD + b"Content-Length: 100000\r\n\r\n",
    "a head without an end": HEAD,
    "nothing at all": b"",
    "a chunk that never ends": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfff\r\n",
    "permission to go on": HEAD + b"Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n",
}
_SECONDS_BETWEEN_BYTES = 0.3


@contextmanager
def slow_clients(port: int, openings: Sequence[bytes], *, count: int) -> Iterator[None]:
    """Have so many of them at the door for the length of the block; they take turns at the openings."""
    over = threading.Event()
    chosen = itertools.islice(itertools.cycle(openings), count)
    threads = [threading.Thread(target=_come_again, args=(port, opening, over)) for opening in chosen]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _come_again(port: int, opening: bytes, over: threading.Event) -> None:
    while not over.is_set():
        try:
            with closing(socket.create_connection(("127.0.0.1", port))) as client:
                _trickle(client, opening, over)
        except OSError:  # it was ended, or nobody listens yet
            over.wait(_SECONDS_BETWEEN_BYTES)


def _trickle(client: socket.socket, opening: bytes, over: threading.Event) -> None:
    client.sendall(opening)
    while not over.wait(_SECONDS_BETWEEN_BYTES):
        client.sendall(b"X" if opening else b"")
