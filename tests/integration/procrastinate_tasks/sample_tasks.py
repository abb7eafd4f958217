"""Tasks of the integration tests; what they did is seen in ``CALLS``."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from django.contrib.auth.models import Group
from django.core.mail import send_mail
from django.db import DatabaseError, connection
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from procrastinate_tasks.exceptions import InvalidTaskArguments, Retry, Snooze
from procrastinate_tasks.jobs.context import JobContext
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task

CALLS: list[object] = []


class Flaky(Exception):
    """A fault that may pass."""


class Hopeless(Flaky):
    """A fault that will not."""


def refuse_negative(arguments: Mapping[str, object]) -> None:
    number = arguments["number"]
    if not isinstance(number, int) or number < 0:
        raise InvalidTaskArguments("number must be 0 or more")


@task(name="sample.remember", queue="sample", validate=refuse_negative, log_fields=("number",))
def remember(number: int) -> str:
    CALLS.append(number)
    return f"remembered={number}"


@task(name="sample.remember_async", queue="sample")
async def remember_async(number: int) -> str:
    CALLS.append(number)
    return f"remembered={number}"


@task(name="sample.locked", queue="sample", queueing_lock="sample-lock")
def locked(number: int = 0) -> None:
    CALLS.append(number)


@task(
    name="sample.flaky",
    queue="sample",
    retry=Retries(max_retries=2, delay=timedelta(seconds=30), on=(Flaky,), give_up_on=(Hopeless,)),
)
def flaky(email: str, hopeless: bool = False) -> None:
    CALLS.append(email)
    raise (Hopeless if hopeless else Flaky)(f"cannot reach {email}")


@task(name="sample.break_the_connection", queue="sample")
def break_the_connection() -> None:
    Group.objects.create(name="undone")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


@task(name="sample.swallow_a_failed_statement", queue="sample")
def swallow_a_failed_statement() -> None:
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


@task(name="sample.write_then_raise", queue="sample")
def write_then_raise() -> None:
    Group.objects.create(name="kept")
    raise Flaky


@task(name="sample.defer_another", queue="sample")
def defer_another(number: int) -> None:
    remember.defer(number=number)


@task(name="sample.defer_itself", queue="sample")
def defer_itself() -> None:
    defer_itself.defer()


@task(name="sample.with_context", queue="sample", pass_context=True)
def with_context(context: JobContext, number: int) -> int:
    CALLS.append((context.job.task_name, number))
    return number


@task(name="sample.leave", queue="sample")
def leave(by: str) -> None:
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[by]("the task wants out")


@task(name="sample.leave_async", queue="sample")
async def leave_async(by: str) -> None:
    leave(by)


class RefusingStrategy(BaseRetryStrategy):
    """A retry strategy that fails itself."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        raise LookupError("no such rule")


@task(name="sample.fail_with_a_broken_strategy", queue="sample", retry=RefusingStrategy())
def fail_with_a_broken_strategy() -> None:
    raise Flaky


class CountingStrategy(BaseRetryStrategy):
    """A retry strategy that asks the database."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        CALLS.append(Group.objects.count())
        return None


@task(name="sample.break_the_connection_with_a_strategy", queue="sample", retry=CountingStrategy())
def break_the_connection_with_a_strategy() -> None:
    break_the_connection()


@task(name="sample.count_groups_async", queue="sample")
async def count_groups_async() -> None:
    CALLS.append(await Group.objects.acount())


RESULT: list[object] = []


@task(name="sample.return_whatever", queue="sample")
def return_whatever() -> object:
    return RESULT[-1]


@task(name="sample.raise_text", queue="sample")
def raise_text() -> None:
    raise ValueError(RESULT[-1])


@task(name="sample.ask_again", queue="sample", retry=Retries(max_retries=2, delay=timedelta(hours=5)))
def ask_again(wait: float, behind: bool = False) -> None:
    CALLS.append("ask_again")
    try:
        raise Flaky("no answer")
    except Flaky as error:
        raise Retry(in_=timedelta(seconds=wait)) from (error if behind else None)


@task(name="sample.put_off", queue="sample", pass_context=True)
def put_off(context: JobContext, times: int) -> str:
    """Snooze so often, and count no attempt."""
    CALLS.append(context.job.attempts)
    if len(CALLS) <= times:
        raise Snooze(in_=timedelta(minutes=5), reason="the bank is closed")
    return "open"


@task(name="sample.count_up", queue="sample", pass_context=True)
def count_up(context: JobContext, total: int, fails: bool = False) -> None:
    for done in range(total + 1):
        context.progress(done, total, f"row {done}")
    if fails:
        raise Flaky


@task(name="sample.count_up_async", queue="sample", pass_context=True)
async def count_up_async(context: JobContext, done: float, total: float | None = None) -> None:
    context.progress(done, total)


@task(name="sample.reach_out", queue="sample")
def reach_out(how: str) -> str:
    """Write, defer, send mail, then try one of the ways out of a replay, and fail where it is open."""
    Group.objects.create(name="written")
    remember.defer(number=3)
    send_mail("Subject", "Text", "from@example.com", ["to@example.com"])
    WAYS_OUT[how]()
    return "reached nobody"


def _connect_in_a_thread() -> None:
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(Group.objects.create, name="in a thread").result()


def _connect_to_a_port() -> None:
    with socket.socket() as own:
        own.connect(("127.0.0.1", 9))


WAYS_OUT: dict[str, Callable[[], object]] = {
    "nowhere": lambda: None,
    "network": _connect_to_a_port,
    "name": lambda: socket.getaddrinfo("stripe.invalid", 443),
    "process": lambda: subprocess.run(["true"], check=True),
    "connection": _connect_in_a_thread,
    "commit": lambda: connection.cursor().execute("/* now */ COMMIT"),
}


@task(name="sample.reach_out_async", queue="sample")
async def reach_out_async() -> str:
    await Group.objects.acreate(name="written")
    return "reached nobody"
