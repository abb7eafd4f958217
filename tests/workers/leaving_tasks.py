"""Tasks that leave something behind, or return and raise what nobody can show."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connection, transaction
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
    "lock": lambda: _run("SELECT pg_advisory_lock(4521)"),
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
        cursor.execute("SELECT current_user = session_user, current_setting('statement_timeout')")
        is_same_role, timeout = cursor.fetchone()
    return {"role": is_same_role, "timeout": timeout}


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
