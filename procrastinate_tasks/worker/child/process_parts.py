"""What of a whole process a job may change: how each thing is read, and how it is put back."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # without its enumerations, which cost more than the calls
import asyncio
import copy
import datetime
import decimal
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from django.db import connections


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


def parts_of_process() -> list[Part]:
    here = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    streams = [_copy_of(descriptor) for descriptor in _STREAMS]
    databases = copy.deepcopy(connections.settings)
    return [
        *(_parts_of_tracing() if sys.gettrace() is None else ()),
        Part("blocked signals", _read_mask, _write_mask),
        Part("a timer", _read_timers, _write_timers),
        Part("signal handlers", _read_handlers, _write_handlers, needs_main_thread=True),
        Part("limits of the process", _read_limits, _write_limits),
        Part("the standard streams", _read_streams, partial(_write_streams, streams)),
        Part("logging", _read_logging, _write_logging),
        Part("the working directory", _read_directory, lambda _: os.fchdir(here)),
        Part("the umask", _read_umask, os.umask, needs_rest=True),
        Part("the environment", _read_environment, _write_environment, is_for_modules=True),
        Part("the time zone", _read_zone, _write_zone),
        Part("the clocks", _read_clocks, _write_clocks),
        Part("sys.path", lambda: list(sys.path), _write_path, is_for_modules=True),
        Part("the process's user", _read_user, _write_user),
        Part("the process's priority", _read_priority, _write_priority),
        Part("the locale", _read_or_write_locale, _read_or_write_locale),
        Part(
            "decimal.DefaultContext",
            lambda: repr(decimal.DefaultContext),
            partial(_write_decimals, decimal.DefaultContext.copy()),
        ),
        Part("the sockets' time-out", socket.getdefaulttimeout, socket.setdefaulttimeout),
        Part("the garbage collector", _read_collector, _write_collector),
        Part("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit, is_for_modules=True),
        Part("the longest number", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
        Part("the threads' turns", sys.getswitchinterval, sys.setswitchinterval),
        Part("hooks", _read_hooks, _write_hooks, is_for_modules=True),
        Part("the threads' stack", threading.stack_size, threading.stack_size),
        Part("the policy of event loops", _read_policy, _write_policy, is_for_modules=True),
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
    getattr(resource, f"RLIMIT_{name}")
    for name in ("AS", "CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    if hasattr(resource, f"RLIMIT_{name}")
]


def _read_limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in _LIMITS]


def _write_limits(kept: list[tuple[int, int]]) -> None:
    for limit, values in zip(_LIMITS, kept, strict=True):
        resource.setrlimit(limit, values)


_STREAMS = (0, 1, 2)


def _copy_of(descriptor: int) -> int:
    """Return another descriptor of what a standard one leads to; of nothing, where there is none."""
    try:
        return os.dup(descriptor)
    except OSError:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


def _read_streams() -> list[object]:
    is_closed = [getattr(stream, "closed", True) for stream in (sys.stdout, sys.stderr)]
    return [sys.stdout, sys.stderr, *is_closed, *map(_goal_of, _STREAMS)]


def _goal_of(descriptor: int) -> tuple[int, int, bool] | None:
    """Say where a descriptor leads, and whether who writes there waits, which all its processes share."""
    try:
        file = os.fstat(descriptor)
        return file.st_dev, file.st_ino, descriptor == 0 or os.get_blocking(descriptor)
    except OSError:
        return None


def _write_streams(copies: Sequence[int], kept: list[Any]) -> None:
    """A closed stream, too, leads where it led: else the next socket would get its number."""
    for descriptor, source, goal in zip(_STREAMS, copies, kept[-len(_STREAMS) :], strict=True):
        if _goal_of(descriptor) != goal:
            os.dup2(source, descriptor)
            if goal is not None and descriptor:
                os.set_blocking(descriptor, goal[2])
    sys.stdout, sys.stderr = (_open_again(stream, number) for number, stream in enumerate(kept[:2], 1))


def _open_again(stream: Any, descriptor: int) -> Any:
    is_closed = stream is not None and stream.closed
    return open(descriptor, "w", closefd=False) if is_closed else stream


def _read_logging() -> tuple[object, ...]:
    root = logging.root
    return (
        root.manager.disable,
        root.level,
        logging.getLogRecordFactory(),
        tuple(root.handlers),
        _UNNAMED_BY_ANY.disabled,
    )


# Who configures logging switches off each logger that there was and that the configuration does not name.
_UNNAMED_BY_ANY = logging.getLogger("_in_no_configuration_of_logging")


def _write_logging(kept: tuple[Any, ...]) -> None:
    """A job that configured logging has most likely switched off all loggers that there were."""
    disable, level, factory, handlers, is_off = kept
    if tuple(logging.root.handlers) != handlers or _UNNAMED_BY_ANY.disabled != is_off:
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


def _read_zone() -> tuple[object, ...]:
    return time.tzname, time.timezone, time.altzone


def _write_zone(_: object) -> None:
    """A job that went past ``os.environ`` has changed what the C library takes the zone from."""
    if "TZ" in os.environ:
        os.environ["TZ"] = os.environ["TZ"]
    else:
        os.unsetenv("TZ")
    time.tzset()


def _read_clocks() -> tuple[object, ...]:
    return time.time, time.monotonic, datetime.datetime


def _write_clocks(kept: tuple[Any, ...]) -> None:
    """Whatever has put others in their place has done so in many modules: this process is to be replaced."""
    time.time, time.monotonic, _ = kept
    raise RuntimeError


def _write_path(kept: list[str]) -> None:
    sys.path[:] = kept


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


_OF_DECIMALS = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _write_decimals(kept: decimal.Context, _: str) -> None:
    for name in _OF_DECIMALS:
        setattr(decimal.DefaultContext, name, getattr(kept, name))
    decimal.DefaultContext.traps.update(kept.traps)
    decimal.DefaultContext.clear_flags()


def _read_collector() -> tuple[object, ...]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug()


def _write_collector(kept: tuple[Any, ...]) -> None:
    is_enabled, thresholds, debug = kept
    (gc.enable if is_enabled else gc.disable)()
    gc.set_threshold(*thresholds)
    gc.set_debug(debug)


def _write_filters(kept: list[Any]) -> None:
    warnings.filters[:] = kept  # type: ignore[index]
    with warnings.catch_warnings():
        pass  # has the interpreter forget what it decided by the others


def _read_hooks() -> tuple[object, ...]:
    return sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning


def _write_hooks(kept: tuple[Any, ...]) -> None:
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = kept


def _read_policy() -> object:
    """Say it without having one made, or the warning of newer Pythons."""
    return getattr(asyncio.events, "_event_loop_policy", None)


def _write_policy(kept: object) -> None:
    vars(asyncio.events).update(_event_loop_policy=kept)


def _write_databases(kept: Mapping[str, dict[str, Any]]) -> None:
    """Fill again the very dictionaries: each thread's connections hold them."""
    for alias, settings in kept.items():
        connections.settings[alias].clear()
        connections.settings[alias].update(copy.deepcopy(settings))


def part_of_loop(loop: asyncio.AbstractEventLoop) -> Part:
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
