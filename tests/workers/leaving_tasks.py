"""Tasks that leave something behind, or return and raise what nobody can show."""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import decimal
import faulthandler
import gc
import inspect
import json
import locale
import logging
import logging.config
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task

# --- Results and errors that cannot be shown ----------------------------------------------------------------


class Unshowable:
    def __repr__(self) -> str:
        raise SystemExit(3)

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


class UnshowableError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class UnnamedError(Exception):
    """Says where it comes from in a way that no database takes."""

    __qualname__ = "Un\x00named\udfff"


class NamelessKind(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__"):
            raise SystemExit(3)
        return super().__getattribute__(name)


class Nameless(Unshowable, metaclass=NamelessKind):
    pass


class ErrorThatIsNotLookedAt(Exception):
    """Ends whoever asks it what it is, or what led to it."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(3)


def _group(depth: int) -> BaseException:
    """One error to which there are more ways than can be walked."""
    error: Exception = ValueError("bottom")
    for _ in range(depth):
        error = ExceptionGroup("group", [error, error])
    return error


def _nested(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def _lazy_user() -> SimpleLazyObject[Any]:
    return SimpleLazyObject(lambda: Group.objects.get(name="left"))


UNSHOWABLE: dict[str, Callable[[], object]] = {
    "repr": Unshowable,
    "nameless": Nameless,
    "number": lambda: 10**5000,
    "queryset": Group.objects.all,
    "nested": lambda: _nested(200_000),
    "held": lambda: {"deep": [Unshowable()]},
    "lazy": _lazy_user,
}


@task(name="leaving.return")
def return_unshowable(kind: str) -> object:
    Group.objects.create(name=f"returns {kind} {os.urandom(8).hex()}")
    return UNSHOWABLE[kind]()


@task(name="leaving.return_async")
async def return_unshowable_async(kind: str) -> object:
    await Group.objects.acreate(name=f"returns {kind} {os.urandom(8).hex()}")
    return UNSHOWABLE[kind]()


ERRORS: dict[str, Callable[[], BaseException]] = {
    "str": UnshowableError,
    "name": UnnamedError,
    "queryset": lambda: ValueError("no such group", Group.objects.all()),
    "word": lambda: ValueError("deadbeef" * 18_750),
    "exit": lambda: SystemExit(3),
    "look": ErrorThatIsNotLookedAt,
    "group": lambda: _group(60),
}


@task(name="leaving.raise")
def raise_unshowable(kind: str) -> None:
    raise ERRORS[kind]()


@task(name="leaving.raise_async")
async def raise_unshowable_async(kind: str) -> None:
    raise ERRORS[kind]()


@task(name="leaving.take")
def take(value: object = None) -> str:
    return "taken"


@task(name="leaving.cancelled_library", retry=Retries(max_retries=2, delay=timedelta(0), on=(BaseException,)))
async def await_cancelled() -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@task(name="leaving.cancelled_once", retry=Retries(max_retries=2, delay=timedelta(0)))
async def await_cancelled_with_plain_retries() -> None:
    await await_cancelled.func()


# --- What an async job does to the loop it shares -----------------------------------------------------------


async def _exit() -> None:
    raise SystemExit(3)


async def _exit_in_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_exit())


async def _exit_in_callback() -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.sleep(0.05)


async def _stop_loop() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.05)


async def _cancel_all() -> None:
    """As a program does that ends."""
    for each in asyncio.all_tasks():
        each.cancel()
    await asyncio.sleep(0.05)


async def _be_cancelled_late() -> None:
    await Group.objects.acount()
    task = asyncio.current_task()
    assert task is not None
    for milliseconds in range(50):
        asyncio.get_running_loop().call_later(milliseconds / 1000, task.cancel)


def _refuse_task(*_: object, **__: object) -> Any:
    raise LookupError


async def _set_factory() -> None:
    asyncio.get_running_loop().set_task_factory(_refuse_task)


ON_LOOP: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "exit": _exit_in_group,
    "callback": _exit_in_callback,
    "stop": _stop_loop,
    "cancel": _cancel_all,
    "late": _be_cancelled_late,
    "factory": _set_factory,
}


@task(name="leaving.on_loop")
async def on_loop(what: str) -> None:
    await ON_LOOP[what]()


# --- What a job leaves to the next --------------------------------------------------------------------------


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _leave_block() -> None:
    transaction.atomic().__enter__()
    Group.objects.create(name="never committed")


def _leave_decimals() -> None:
    decimal.getcontext().prec = 3
    translation.activate("de")
    timezone.activate("Asia/Tokyo")


LEFT: dict[str, Callable[[], object]] = {
    "transaction": lambda: _run("BEGIN"),
    "block": _leave_block,
    "autocommit": lambda: transaction.set_autocommit(False),
    "failed": lambda: _run("BEGIN; SELECT 1/0"),
    "role": lambda: _run("SET ROLE pg_read_all_data"),
    "path": lambda: _run("SELECT set_config('search_path', 'nowhere', false)"),
    "timeout": lambda: _run("/* mine */ set statement_timeout = '1ms'"),
    "lock": lambda: _run("SELECT PG_ADVISORY_LOCK(4521)"),
    "into": lambda: _run("SELECT 1 AS id INTO TEMP auth_group"),
    "isolation": lambda: setattr(connection.connection, "isolation_level", 4),
    "code": lambda: _run("DO $$ BEGIN SET statement_timeout = '1ms'; END $$"),
    "second": lambda: _run("SELECT 1; SET statement_timeout = '1ms'"),
    "context": _leave_decimals,
    "nothing": lambda: None,
}


@task(name="leaving.leave")
def leave(what: str, raises: bool = True) -> None:
    Group.objects.count()
    LEFT[what]()
    if raises:
        raise ValueError("left in the middle")


@task(name="leaving.leave_async")
async def leave_async(what: str) -> None:
    await Group.objects.acount()
    await sync_to_async(LEFT[what])()
    LEFT["context"]()
    raise ValueError("left in the middle")


def _write() -> dict[str, object]:
    with transaction.atomic():
        Group.objects.get_or_create(name="written")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user = session_user, current_setting('statement_timeout'),"
            " current_setting('transaction_isolation')"
        )
        is_same_role, timeout, isolation = cursor.fetchone()
    return {"role": is_same_role, "timeout": timeout, "isolation": isolation}


def _context() -> dict[str, object]:
    return {
        "language": translation.get_language(),
        "digits": decimal.getcontext().prec,
        "zone": timezone.get_current_timezone_name(),
    }


@task(name="leaving.arrive")
def arrive() -> dict[str, object]:
    return {**_context(), **_write()}


@task(name="leaving.arrive_async")
async def arrive_async() -> dict[str, object]:
    return {**_context(), **await sync_to_async(_write)()}


@task(name="leaving.swallow_soft_limit")
def swallow_everything(seconds: float) -> str:
    with contextlib.suppress(Exception):
        _run(f"SELECT pg_sleep({float(seconds)})")
    return "swallowed"


# --- What a job changes for its whole process ---------------------------------------------------------------


def _go_to_removed_directory() -> None:
    directory = f"/tmp/left-{os.getpid()}"  # noqa: S108 - gone at once
    os.mkdir(directory)  # noqa: PTH102
    os.chdir(directory)
    os.rmdir(directory)  # noqa: PTH106


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _log_nothing() -> None:
    logging.disable()
    logging.basicConfig(force=True, level="CRITICAL")


def _read_logging() -> object:
    return logging.root.manager.disable, logging.root.level, len(logging.root.handlers)


def _leave_little_memory() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, most))


def _hard_limit(limit: int) -> int:
    return resource.getrlimit(limit)[1]


def _write_elsewhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _move_to_tokyo() -> None:
    os.putenv("TZ", "Asia/Tokyo")  # past os.environ, as a library in C does
    time.tzset()


def _change_settings() -> None:
    connection.close()
    connections["default"].settings_dict["NAME"] = "nonesuch"


CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "the working directory": (_go_to_removed_directory, os.getcwd),
    "the umask": (lambda: os.umask(0o777), _read_umask),
    "the environment": (lambda: os.environ.update(TZ="Asia/Tokyo", LEFT="1"), lambda: "LEFT" in os.environ),
    "limits of the process": (
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)),
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 3,
    ),
    "limits of the process (memory)": (
        _leave_little_memory,
        lambda: threading.Thread(target=int).start(),
    ),
    "a timer": (lambda: signal.alarm(1), lambda: time.sleep(1.1)),
    "blocked signals": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
        lambda: len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    ),
    "the recursion limit": (
        lambda: sys.setrecursionlimit(len(inspect.stack()) + 12),
        sys.getrecursionlimit,
    ),
    "a profile function": (lambda: sys.setprofile(lambda *_: None), lambda: str(sys.getprofile())),
    "limits of the process (stack)": (
        lambda: resource.setrlimit(resource.RLIMIT_STACK, (1 << 16, _hard_limit(resource.RLIMIT_STACK))),
        lambda: subprocess.run(["true", "x" * 100_000], check=True).returncode,
    ),
    "a trace function of threads": (
        lambda: threading.settrace(lambda *_: None),
        lambda: str(threading.gettrace()),
    ),
    "the garbage collector": (gc.disable, gc.isenabled),
    "the garbage collector (never)": (lambda: gc.set_threshold(0), gc.get_threshold),
    "the garbage collector (keeps all)": (lambda: gc.set_debug(gc.DEBUG_SAVEALL), gc.get_debug),
    "the standard streams": (lambda: sys.stderr.close(), lambda: sys.stderr.write("so\n")),
    "the standard streams (descriptors)": (lambda: os.close(1), lambda: os.write(1, b"so\n")),
    "the standard streams (objects)": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout is None),
    "the standard streams (the first)": (lambda: os.close(0), lambda: os.open("/", os.O_RDONLY) > 0),
    "the standard streams (elsewhere)": (_write_elsewhere, lambda: os.fstat(1)[:2]),
    "the standard streams (no waiting)": (lambda: os.set_blocking(1, False), lambda: os.get_blocking(1)),
    "logging": (_log_nothing, _read_logging),
    "logging (loggers)": (
        lambda: logging.config.dictConfig({"version": 1}),
        lambda: logging.getLogger("procrastinate_tasks.jobs.job_log").disabled,
    ),
    "the time zone": (_move_to_tokyo, lambda: time.tzname),
    "sys.path": (lambda: sys.path.insert(0, "/nowhere"), lambda: sys.path[0]),
    "the clocks": (
        lambda: setattr(time, "monotonic", lambda: 1e9),
        lambda: time.monotonic() == 1e9,
    ),
    "warning filters": (lambda: warnings.simplefilter("error"), lambda: warnings.warn("look", stacklevel=1)),
    "hooks": (lambda: setattr(sys, "excepthook", _refuse_task), lambda: sys.excepthook is _refuse_task),
    "the threads' stack": (lambda: threading.stack_size(1 << 20), threading.stack_size),
    "the locale": (lambda: locale.setlocale(locale.LC_ALL, "C"), lambda: locale.setlocale(locale.LC_ALL)),
    "decimal.DefaultContext": (
        lambda: setattr(decimal.DefaultContext, "prec", 3),
        lambda: decimal.getcontext().prec,
    ),
    "decimal.DefaultContext (traps)": (
        lambda: decimal.DefaultContext.traps.update({decimal.Inexact: True}),
        lambda: str(decimal.Decimal(1) / 3),
    ),
    "decimal.DefaultContext (range)": (
        lambda: setattr(decimal.DefaultContext, "Emax", 3),
        lambda: str(decimal.Decimal(10) ** 10),
    ),
    "the sockets' time-out": (lambda: socket.setdefaulttimeout(0.001), socket.getdefaulttimeout),
    "the longest number": (lambda: sys.set_int_max_str_digits(640), sys.get_int_max_str_digits),
    "the process's priority": (lambda: os.nice(1), lambda: os.nice(0)),
    "the databases' settings": (_change_settings, Group.objects.exists),
    "signal handlers": (
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        lambda: callable(signal.getsignal(signal.SIGUSR1)),
    ),
}


@task(name="leaving.change")
def change(what: str) -> None:
    CHANGES[what][0]()


@task(name="leaving.look")
def look(what: str) -> object:
    return CHANGES[what][1]()


@task(name="leaving.watch_itself")
def watch_itself() -> None:
    faulthandler.dump_traceback_later(0.5, exit=True)


async def _shut_executor_down() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()


async def _use_own_executor() -> None:
    pool = ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(pool)
    pool.shutdown()


async def _debug() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.set_exception_handler(_refuse_task)


CHANGES_OF_LOOP: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "shut down": _shut_executor_down,
    "own": _use_own_executor,
    "debug": _debug,
}


@task(name="leaving.change_async")
async def change_async(what: str) -> None:
    await CHANGES_OF_LOOP[what]()


@task(name="leaving.look_async")
async def look_async() -> object:
    loop = asyncio.get_running_loop()
    called = await asyncio.wait_for(asyncio.to_thread(lambda: "called"), 5)
    return called, loop.get_debug(), str(loop.get_exception_handler())


@task(name="leaving.profile_itself")
def profile_itself() -> int:
    return int(cProfile.Profile().runcall(sum, [1, 2]))


@task(name="leaving.break_machinery")
def break_machinery(what: str) -> str:
    """Does to this process what nobody puts back, and what recording an end needs."""
    if what == "json":
        json.dumps = _refuse_task
    else:
        settings.PROCRASTINATE_TASKS_MAX_RESULT_BYTES = "many"
    return "broken"
