"""What a process gives up before it forks, and how it makes sure: connections, threads, Sentry's client.

A fork shares the sockets of its parent and has none of its threads: two processes would read each other's
answers, and a lock that a thread held at that instant would be held for ever.
"""

from __future__ import annotations

import copy
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from django.db import connections
from psycopg.pq import Conninfo

from procrastinate_tasks.exceptions import CannotFork

try:
    import sentry_sdk
except ImportError:
    _HAS_SENTRY = False
else:
    _HAS_SENTRY = True

# What a closed pool, or Sentry's client, gets for its threads to end.
_SECONDS_TO_END = 3.0
_STANDARD_STREAMS = range(3)


def set_sentry_aside() -> Callable[[], None]:
    """Ends Sentry's client here, with its threads and its connection; returns what starts it in a fork.

    So this process reports nothing to Sentry: its first event would start a thread.
    """
    if not _HAS_SENTRY or not sentry_sdk.get_client().is_active():
        return lambda: None
    client = sentry_sdk.get_client()
    sentry_sdk.get_global_scope().set_client(None)
    client.close(timeout=_SECONDS_TO_END)
    # A copy is a new client of the same options.
    return lambda: sentry_sdk.get_global_scope().set_client(copy.copy(client))


def await_threads() -> None:
    """Gives threads that were told to end the time to do so."""
    deadline = time.monotonic() + _SECONDS_TO_END
    for thread in _other_threads():
        thread.join(timeout=max(0.0, deadline - time.monotonic()))


def require_fitness() -> None:
    """Makes sure that a fork of this process inherits no thread's locks and no database connection.

    Raises:
        CannotFork: It would.
    """
    threads = [thread.name for thread in _other_threads()]
    peers = list(_database_peers())
    if threads or peers:
        raise CannotFork(threads=threads, database_peers=peers)


def _other_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread is not threading.current_thread()]


def _database_peers() -> Iterator[str]:
    """The database servers to which this process has an open socket, whoever opened it."""
    ports = _database_ports()
    for descriptor in Path("/dev/fd").iterdir():
        with suppress(OSError):  # no socket, not connected, or the listing's own descriptor
            peer = _peer_of(int(descriptor.name))
            if _is_database(peer, ports):
                yield str(peer)


def _peer_of(fd: int) -> object:
    if fd in _STANDARD_STREAMS or not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    with socket.socket(fileno=os.dup(fd)) as duplicate:
        return duplicate.getpeername()


def _is_database(peer: object, ports: set[int]) -> bool:
    if isinstance(peer, tuple):
        return peer[1] in ports
    return isinstance(peer, str) and ".s.PGSQL." in peer


def _database_ports() -> set[int]:
    """The ports of all databases; an address of several hosts has several."""
    ports: set[int] = set()
    for connection in connections.all():
        given = str(connection.settings_dict.get("PORT") or "")
        ports |= {int(port) if port.isdigit() else _default_port() for port in given.split(",")}
    return ports


def _default_port() -> int:
    """The port that libpq takes where none is given."""
    options = {option.keyword: option.val for option in Conninfo.get_defaults()}
    return int(options[b"port"] or 0)
