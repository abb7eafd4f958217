"""Tasks that wait, loop, leak, hang and crash, for the tests of the worker."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import logging
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from asgiref.sync import sync_to_async
from django.db import connection
from procrastinate.exceptions import JobAborted
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from procrastinate_tasks.exceptions import Retry, Snooze, SoftTimeLimitExceeded
from procrastinate_tasks.jobs.context import JobContext
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task


@task(name="engine.async_no_op")
async def async_no_op() -> None:
    return None


@task(name="engine.no_op")
def no_op() -> None:
    return None


@task(name="engine.add")
def add(left: int, right: int) -> int:
    return left + right


@task(name="engine.own_pid")
def own_pid() -> int:
    return os.getpid()


@task(name="engine.sleep")
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return f"slept {seconds:g}"


@task(name="engine.async_sleep")
async def async_sleep(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return f"slept {seconds:g}"


@task(name="engine.fail")
def fail(message: str) -> None:
    raise ValueError(message)


@task(name="engine.async_query")
async def async_query(seconds: float) -> None:
    await sync_to_async(run_sql)("SELECT pg_sleep(%s)", seconds)


@task(name="engine.fail_once", pass_context=True, retry=Retries(max_retries=3, delay=timedelta(seconds=0.5)))
def fail_once(context: JobContext) -> str:
    if context.job.attempts == 0:
        raise ValueError("the first time fails")
    return "done"


class SenselessRetry(BaseRetryStrategy):
    """Answers what no database can store; its job says of which kind."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        senseless: dict[str, Any] = {
            "priority": {"priority": 10**12},
            "queue": {"queue": "q" * 41},
            "lock": {"lock": "held\x00"},
            "retry_at": {"retry_at": "tomorrow"},
            "object": {"lock": object()},
        }
        return RetryDecision(**senseless[str(job.task_kwargs["answer"])])


@task(name="engine.senseless_retry", retry=SenselessRetry())
def senseless_retry(answer: str) -> None:
    raise ValueError(answer)


@task(name="engine.spin")
def spin() -> None:
    while True:
        pass


def run_sql(sql: str, *params: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


@task(name="engine.hold_gil")
def hold_gil() -> None:
    """One call into C that holds the interpreter for minutes."""
    total = sum(itertools.repeat(1, 10**11))
    raise AssertionError(total)


@task(name="engine.wait_for_socket")
def wait_for_socket() -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return ours.recv(1)


@task(name="engine.query")
def sleep_in_query(seconds: float) -> None:
    run_sql("SELECT pg_sleep(%s)", seconds)


@task(name="engine.swallow")
def swallow() -> None:
    while True:
        try:
            while True:
                time.sleep(0.01)
        except Exception:  # noqa: S112 - the very fault that is tested
            continue


@task(name="engine.async_swallow")
async def async_swallow() -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except BaseException:  # noqa: S112 - the very fault that is tested
            continue


@task(name="engine.clean_up")
def clean_up() -> str:
    try:
        while True:
            time.sleep(0.01)
    except SoftTimeLimitExceeded:
        return "cleaned up"


@task(name="engine.async_clean_up")
async def async_clean_up() -> str:
    try:
        await asyncio.sleep(60)
    except SoftTimeLimitExceeded:
        await asyncio.sleep(0)
        return "cleaned up"
    return "not interrupted"


@task(name="engine.block_loop")
async def block_loop() -> None:
    time.sleep(60)


@task(name="engine.own_limits", soft_time_limit=timedelta(seconds=0.3), time_limit=timedelta(seconds=60))
def own_limits() -> None:
    while True:
        time.sleep(0.01)


@task(name="engine.kill_own_process")
def kill_own_process(seconds: float = 0.0) -> None:
    logging.getLogger("engine").error("about to die of my own hand")
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="engine.leak")
def leak(megabytes: int) -> None:
    _leaked.append(b"x" * (megabytes * 1024 * 1024))


_leaked: list[bytes] = []


@task(name="engine.until_aborted", pass_context=True)
def until_aborted(context: JobContext) -> None:
    while not context.should_abort():
        time.sleep(0.01)
    raise JobAborted


@task(name="engine.read_number")
def read_number(number: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int, pg_sleep(0.005)", [number])
        return int(cursor.fetchone()[0])


@task(name="engine.async_read_number")
async def async_read_number(number: int) -> int:
    return await sync_to_async(read_number)(number)


@task(name="engine.connect_elsewhere")
def connect_elsewhere() -> None:
    psycopg.connect(host="127.0.0.1", port=9)


@task(name="engine.never_connected")
def never_connected() -> None:
    """Is refused by the project's own database, for a reason of its own."""
    refused = connection.copy()
    refused.settings_dict["USER"] = "nobody_of_this_name"
    refused.connect()


@task(name="engine.end_program")
def end_program() -> int:
    """Starts a program and ends it with SIGTERM, as one ends a browser."""
    program = subprocess.Popen(["sleep", "300"])
    program.terminate()
    return program.wait(timeout=10)


@task(name="engine.end_copy")
def end_copy() -> int:
    """Forks, and ends the copy with SIGTERM."""
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    os.kill(pid, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@task(name="engine.start_things")
def start_things(path: str) -> None:
    """Starts a program, one in a session of its own, and a copy of this process; writes down their pids."""
    program = subprocess.Popen(["sleep", "777"])
    apart = subprocess.Popen(["sleep", "777"], start_new_session=True)
    copy = os.fork()
    if copy == 0:
        while True:
            signal.pause()
    Path(path).write_text(f"{program.pid} {apart.pid} {copy}", "ascii")
    time.sleep(600)


@task(name="engine.return_twice")
def return_twice(path: str) -> str:
    pid = os.fork()
    if pid:
        Path(path).write_text(str(pid), "ascii")
    return "returned"


@task(name="engine.write_garbage")
def write_garbage(seconds: float = 0.0) -> None:
    """Writes into every socket that it inherited, as a program may that takes a wrong descriptor."""
    time.sleep(seconds)
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff" * 8)
    time.sleep(30)


@task(name="engine.typed")
def typed(amount: Decimal, due: date | None, keys: list[UUID], number: signal.Signals) -> str:
    return repr((amount, due, keys, number))


@task(name="engine.typed_async")
async def typed_async(at: datetime) -> str:
    return repr(at)


@task(name="engine.ask_again", pass_context=True)
def ask_again(context: JobContext) -> str:
    if context.job.attempts == 0:
        raise Retry(in_=timedelta(milliseconds=200))
    return f"attempts={context.job.attempts}"


@task(name="engine.put_off")
def put_off(path: str) -> str:
    with Path(path).open("a+") as file:
        file.write("x")
        if file.tell() < 3:
            raise Snooze(in_=timedelta(milliseconds=200))
    return "open"


@task(name="engine.count_up", pass_context=True)
def count_up(context: JobContext, seconds: float, fails: bool = False) -> None:
    """Tell a progress as fast as Python can, until the time is over."""
    ends_at = time.monotonic() + seconds
    for done in itertools.count():
        context.progress(done, text="counting")
        if time.monotonic() > ends_at:
            break
    context.progress(100, 100, "counted")
    if fails:
        raise LookupError


@task(name="engine.count_once", pass_context=True)
async def count_once(context: JobContext) -> None:
    context.progress(1, 3, "one")
    context.progress(2, 3, "two")
    await asyncio.sleep(60)


# --- Log lines and stacks ---------------------------------------------------------------------------------

_job_logger = logging.getLogger("shop.mail")


class Unwritable:
    """Says nothing of itself."""

    def __str__(self) -> str:
        raise LookupError("no words")


class HandlerThatRaises(logging.Handler):
    def handle(self, record: logging.LogRecord) -> bool:
        raise OSError("the disk is full")


@task(name="engine.log_and_hang")
def log_and_hang(secret: str) -> None:
    _job_logger.warning("opened for %s", secret)
    _job_logger.error("stuck at %d", 7)
    time.sleep(120)


_MOST_TO_PRINT = 1000


def _print_nothing() -> None:
    """A million lines on the terminal are a test's log of a hundred megabytes."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)


@task(name="engine.log_much")
def log_much(lines: int, then: str = "") -> None:
    if lines > _MOST_TO_PRINT:
        _print_nothing()
    for number in range(lines):
        _job_logger.warning("line %d", number)
    if then == "raise":
        raise LookupError
    if then == "die":
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGKILL)


@task(name="engine.log_hostile")
def log_hostile(characters: int) -> str:
    _print_nothing()
    _job_logger.warning("x" * characters)
    _job_logger.warning("NUL \x00 and lone \ud800 surrogate")
    with contextlib.suppress(LookupError):  # so much the handlers of others may raise
        _job_logger.warning("it is %s", Unwritable())
    with contextlib.suppress(TypeError):
        _job_logger.warning("%d of %d", 1)
    return "done"


@task(name="engine.log_in_threads")
def log_in_threads() -> None:
    with_context = contextvars.copy_context()
    for run in (with_context.run, lambda call, text: call(text)):
        text = "with its context" if run == with_context.run else "without"
        thread = threading.Thread(target=run, args=(_job_logger.warning, text))
        thread.start()
        thread.join()


@task(name="engine.log_past_a_broken_handler")
def log_past_a_broken_handler() -> None:
    broken = HandlerThatRaises()
    logging.getLogger().addHandler(broken)
    try:
        _job_logger.warning("before the handler that raises")
    finally:
        logging.getLogger().removeHandler(broken)


@task(name="engine.loop")
def loop() -> None:
    while True:
        pass


@task(name="engine.await_for_ever")
async def await_for_ever() -> None:
    await _never()


async def _never() -> None:
    await asyncio.get_running_loop().create_future()
