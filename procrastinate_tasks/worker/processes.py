"""Forks a process that cannot outlive its parent, with nothing of the parent's in it but a log tail."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import logging
import mmap
import os
import random
import signal
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Protocol

from django.db import connections
from procrastinate.exceptions import JobAborted
from psycopg.pq import Conninfo

from procrastinate_tasks.exceptions import CannotFork, SoftTimeLimitExceeded
from procrastinate_tasks.jobs.values import name_of

# What a closed pool, or Sentry's client, gets for its threads to end.
_SECONDS_TO_END = 3.0


_STANDARD_STREAMS = range(3)


def set_sentry_aside() -> Callable[[], None]:
    """Ends Sentry's client here, with its threads and its connection; returns what starts it in a fork.

    So this process reports nothing to Sentry: its first event would start a thread.
    """
    # Whoever started it has imported it: where nobody did, no start pays for the import.
    sentry_sdk = sys.modules.get("sentry_sdk")
    if sentry_sdk is None or not sentry_sdk.get_client().is_active():
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


logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


_PR_SET_NAME = 15


EXIT_FAILED = 1


STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


_STANDARD_INPUT = 0

_held = threading.local()


class Closable(Protocol):
    """What the parent holds open and the fork must not."""

    def close(self) -> None: ...


def fork(
    run: Callable[[], object], *, name: str, closing: Iterable[Closable], dies_with_parent: bool = True
) -> int:
    """Forks a process that runs ``run`` and exits; returns its pid.

    Signals that stop the supervisor do not stop the fork: it is told. One that does not die with its parent
    has to notice that end itself.

    Raises:
        CannotFork: This process has another thread, or a database connection.
    """
    require_fitness()
    sys.stdout.flush()
    sys.stderr.flush()
    parent_pid = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    exit_code = EXIT_FAILED
    try:
        _prepare(name=name, closing=closing)
        if dies_with_parent:
            _die_with(parent_pid)
        run()
        exit_code = 0
    except BaseException:
        logger.exception("%s failed", name)
    finally:
        logging.shutdown()
        os._exit(exit_code)


def _prepare(*, name: str, closing: Iterable[Closable]) -> None:
    for signal_number in STOPPING_SIGNALS:
        signal.signal(signal_number, _pass_by)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _set_name(name)
    for each in closing:
        each.close()
    random.seed()


def _pass_by(_signal_number: int, _frame: FrameType | None) -> None:
    """Does nothing, as SIG_IGN; but that a program which is started from here would inherit."""


def lead_group() -> None:
    """Makes this process the first of a group: what it starts can be ended with it.

    Reading from a terminal would stop a process that is not in its foreground group, so there is none.
    """
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, _STANDARD_INPUT)
    os.close(nowhere)
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_be_plain)


def end_tree(pid: int) -> None:
    """Ends a running fork and all that it started, also what left its group for a session of its own.

    Only a process whose parent has ended, as a daemon's, is out of reach there.
    """
    started = list(_descendants_of(pid))
    _kill(pid)
    end_group(pid)
    for each in started:
        _kill(each)


def end_group(pid: int) -> None:
    """Ends what is left of the group that a fork led; it may have ended itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _descendants_of(pid: int) -> Iterator[int]:
    for child in _children_of(pid):
        yield child
        yield from _descendants_of(child)


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, or this is not Linux
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text("ascii").split())
    return children


def _hold_signals() -> None:
    """Keeps a signal waiting that comes just after a fork: a handler that does nothing would lose it."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING_SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _be_plain() -> None:
    """Lets a process that a job forks hear the signals that stop one."""
    for signal_number in STOPPING_SIGNALS:
        signal.signal(signal_number, signal.SIG_DFL)
    _release_signals()


def _die_with(parent_pid: int) -> None:
    """Has the kernel kill this process when its parent ends (on Linux; else its socket tells it)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(EXIT_FAILED)


def _set_name(name: str) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15])


_CAPACITY = 8192


_COUNT = struct.Struct("!Q")


_MOST_LINES = 20


class LogTail:
    """A ring of bytes in anonymous shared memory; to be made before the fork."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size + _CAPACITY)

    def write(self, line: str) -> None:
        """Appends a line, over the oldest if need be."""
        data = (line + "\n").encode("utf-8", "replace")[-_CAPACITY:]
        (count,) = _COUNT.unpack_from(self._memory)
        start = count % _CAPACITY
        first = data[: _CAPACITY - start]
        self._memory[_COUNT.size + start : _COUNT.size + start + len(first)] = first
        rest = data[len(first) :]
        self._memory[_COUNT.size : _COUNT.size + len(rest)] = rest
        _COUNT.pack_into(self._memory, 0, count + len(data))

    def read(self) -> str:
        """The last lines, oldest first, as text that Postgres can store."""
        (count,) = _COUNT.unpack_from(self._memory)
        ring = self._memory[_COUNT.size :]
        start = count % _CAPACITY
        data = ring[:count] if count <= _CAPACITY else ring[start:] + ring[:start]
        lines = data.decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_MOST_LINES:]).replace("\x00", "\ufffd")

    def close(self) -> None:
        """Gives the memory back."""
        self._memory.close()


class LogTailHandler(logging.Handler):
    """Copies what the process logs into the tail."""

    def __init__(self, tail: LogTail) -> None:
        super().__init__()
        self._tail = tail
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except (SoftTimeLimitExceeded, JobAborted):
            raise
        except Exception as fault:  # what an object says of itself ends no job because of us
            line = f"(a line that cannot be written: {name_of(type(fault))})"
        self._tail.write(line[-_CAPACITY:])
