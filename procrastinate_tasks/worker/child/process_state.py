"""What a job changed for its whole process is put back, so that the next one begins as in a fresh one.

With one job at a time that is at its end. Where several run side by side a change may be one that a neighbour
makes for a moment, so it is put back when no other runs, or when it has outlived all that ran when it was
seen. What cannot be put back has the process replaced: a limit that may only be lowered, a closed stream.

What it does not see is told in ``docs/queue/guarantees.md``, **Between jobs**.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # without its enumerations, which cost more than the calls
import asyncio
import copy
import decimal
import faulthandler
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from django.db import connections

from procrastinate_tasks.jobs.values import name_of
from procrastinate_tasks.worker.child.slots import Slot

logger = logging.getLogger(__name__)

# How often to look while several jobs run side by side: then it is not the job that pays.
_SECONDS_BETWEEN = 0.1


class Part(NamedTuple):
    """One thing that a job may change.

    Attributes:
        needs_main_thread: No other may set it.
        needs_rest: It cannot be read without a change that neighbours could notice.
        is_for_modules: A module may set it as it is imported; what a job sets that imported one stays.
    """

    name: str
    read: Callable[[], object]
    write: Callable[[Any], object]
    needs_main_thread: bool = False
    needs_rest: bool = False
    is_for_modules: bool = False


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
        self._kept = [(part, part.read()) for part in [*_parts(), _part_of_loop(loop)]]
        self._recursion_limit = sys.getrecursionlimit()
        self._modules = len(sys.modules)
        self._suspects: set[int] = set()
        self._look_after = 0.0

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
        if time.monotonic() < self._look_after and any(self._jobs_beside(slot)):
            return []
        others = set(self._jobs_beside(slot))
        if not others:
            faulthandler.cancel_dump_traceback_later()  # it may end the process, and cannot be seen
        self._look_after = time.monotonic() + _SECONDS_BETWEEN
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


# --- The parts ----------------------------------------------------------------------------------------------


def _parts() -> list[Part]:
    here = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    databases = copy.deepcopy(connections.settings)
    return [
        *(_parts_of_tracing() if sys.gettrace() is None else ()),
        Part("blocked signals", _read_mask, _write_mask),
        Part("a timer", _read_timers, _write_timers),
        Part("signal handlers", _read_handlers, _write_handlers, needs_main_thread=True),
        Part("limits of the process", _read_limits, _write_limits),
        Part("the standard streams", _read_streams, _write_streams),
        Part("logging", _read_logging, _write_logging),
        Part("the working directory", _read_directory, lambda _: os.fchdir(here)),
        Part("the umask", _read_umask, os.umask, needs_rest=True),
        Part("the environment", _read_environment, _write_environment, is_for_modules=True),
        Part("the process's user", _read_user, _write_user),
        Part("the process's priority", _read_priority, _write_priority),
        Part("the locale", _read_or_write_locale, _read_or_write_locale),
        Part("decimal.DefaultContext", _read_decimals, _write_decimals),
        Part("the sockets' time-out", socket.getdefaulttimeout, socket.setdefaulttimeout),
        Part("the garbage collector", gc.isenabled, _write_collector),
        Part("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit, is_for_modules=True),
        Part("the longest number", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
        Part("the threads' turns", sys.getswitchinterval, sys.setswitchinterval),
        Part("warning filters", lambda: list(warnings.filters), _write_filters, is_for_modules=True),
        Part(
            "the databases' settings",
            lambda: connections.settings == databases,
            lambda _: _write_databases(databases),
        ),
    ]


def _parts_of_tracing() -> list[Part]:
    """Where nobody traces from the start; a debugger's functions differ from thread to thread."""
    return [
        Part("a trace function", sys.gettrace, sys.settrace),
        Part("a profile function", sys.getprofile, sys.setprofile),
        Part("a trace function of threads", threading.gettrace, threading.settrace),
        Part("a profile function of threads", threading.getprofile, threading.setprofile),
    ]


_SIGNALS = [int(number) for number in signal.Signals if number not in (signal.SIGKILL, signal.SIGSTOP)]


def _read_mask() -> object:
    return _signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _write_mask(kept: Iterable[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, kept)


_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def _read_timers() -> list[bool]:
    return [signal.getitimer(timer) != (0.0, 0.0) for timer in _TIMERS]


def _write_timers(kept: list[bool]) -> None:
    for timer, is_kept in zip(_TIMERS, kept, strict=True):
        if not is_kept:
            signal.setitimer(timer, 0)


def _read_handlers() -> list[Any]:
    return [_signal.getsignal(number) for number in _SIGNALS]


def _write_handlers(kept: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, kept, strict=True):
        if handler is not None and _signal.getsignal(number) != handler:
            signal.signal(number, handler)


_LIMITS = [
    getattr(resource, name)
    for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC")
    if hasattr(resource, name)
]


def _read_limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in _LIMITS]


def _write_limits(kept: list[tuple[int, int]]) -> None:
    for limit, values in zip(_LIMITS, kept, strict=True):
        resource.setrlimit(limit, values)


def _read_streams() -> list[object]:
    return [sys.stdout, sys.stderr, *map(_is_usable, (sys.stdout, sys.stderr), (1, 2))]


def _is_usable(stream: Any, descriptor: int) -> bool:
    try:
        os.get_blocking(descriptor)
        return not stream.closed
    except (OSError, AttributeError):
        return False


def _write_streams(kept: list[Any]) -> None:
    """A stream that was closed leads nowhere from now on: else the next socket would get its number."""
    for descriptor in (1, 2):
        with suppress(OSError):
            os.get_blocking(descriptor)
            continue
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
    sys.stdout, sys.stderr = (_open_again(stream, number) for number, stream in enumerate(kept[:2], 1))


def _open_again(stream: Any, descriptor: int) -> Any:
    is_closed = stream is not None and stream.closed
    return open(descriptor, "w", closefd=False) if is_closed else stream


def _read_logging() -> tuple[object, ...]:
    root = logging.root
    return root.manager.disable, root.level, logging.getLogRecordFactory(), tuple(root.handlers)


def _write_logging(kept: tuple[Any, ...]) -> None:
    """A job that configured logging has most likely switched off all loggers that there were."""
    disable, level, factory, handlers = kept
    if tuple(logging.root.handlers) != handlers:
        for each in logging.root.manager.loggerDict.values():
            if isinstance(each, logging.Logger):
                each.disabled = False
    logging.disable(disable)
    logging.root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.root.handlers[:] = handlers


def _read_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - at each job's end
    except OSError:
        return "(it was removed)"


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _read_environment() -> dict[bytes, bytes]:
    return dict(vars(os.environ)["_data"])  # as bytes, which cost nothing to read


def _write_environment(kept: Mapping[bytes, bytes]) -> None:
    for name in set(os.environb) - kept.keys():
        del os.environb[name]
    os.environb.update(kept)
    time.tzset()


def _read_user() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def _write_user(kept: tuple[int, int]) -> None:
    os.seteuid(kept[0])
    os.setegid(kept[1])


def _read_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _write_priority(kept: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, kept)


_read_or_write_locale = partial(locale.setlocale, locale.LC_ALL)


def _read_decimals() -> tuple[int, str]:
    return decimal.DefaultContext.prec, decimal.DefaultContext.rounding


def _write_decimals(kept: tuple[int, str]) -> None:
    decimal.DefaultContext.prec, decimal.DefaultContext.rounding = kept


def _write_collector(is_enabled: bool) -> None:
    (gc.enable if is_enabled else gc.disable)()


def _write_filters(kept: list[Any]) -> None:
    warnings.filters[:] = kept  # type: ignore[index]
    with warnings.catch_warnings():
        pass  # has the interpreter forget what it decided by the others


def _write_databases(kept: Mapping[str, dict[str, Any]]) -> None:
    """Fill again the very dictionaries: each thread's connections hold them."""
    for alias, settings in kept.items():
        connections.settings[alias].clear()
        connections.settings[alias].update(copy.deepcopy(settings))


def _part_of_loop(loop: asyncio.AbstractEventLoop) -> Part:
    def read() -> object:
        return (
            loop.get_debug(),
            loop.get_exception_handler(),
            loop.get_task_factory(),
            _has_own_executor(loop),
        )

    def write(kept: tuple[Any, ...]) -> None:
        debug, handler, factory, has_own_executor = kept
        loop.set_debug(debug)
        loop.set_exception_handler(handler)
        loop.set_task_factory(factory)
        if not has_own_executor and _has_own_executor(loop):
            vars(loop).update(_default_executor=None, _executor_shutdown_called=False)

    return Part("the event loop", read, write, needs_main_thread=True)


def _has_own_executor(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether what runs ``asyncio.to_thread`` is a job's, or was shut down by one."""
    if getattr(loop, "_executor_shutdown_called", False):
        return True
    executor = getattr(loop, "_default_executor", None)
    return executor is not None and getattr(executor, "_thread_name_prefix", "") != "asyncio"
