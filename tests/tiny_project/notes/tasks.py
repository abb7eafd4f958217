"""Tasks that do what tests need to see done by a real worker."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import UTC, datetime, timedelta

from asgiref.sync import sync_to_async
from django.db import transaction

from procrastinate_tasks import CatchUp, Retries, defer, periodic, task
from tests.tiny_project.notes.models import Note


class Broken(Exception):
    """Raised on purpose."""


@task(name="notes.write", log_fields=("text",))
def write(text: str) -> str:
    Note(text=text).save()
    return f"wrote={text}"


@task(name="notes.write_secret")
def write_secret(text: str) -> str:
    Note(text=text).save()
    return "wrote"


@task(name="notes.save_defer_and_raise")
def save_defer_and_raise(text: str) -> None:
    with transaction.atomic():
        Note(text=text).save()
        defer("notes.write", {"text": f"{text}: by defer()"})
        write.defer(text=f"{text}: by task.defer()")
        raise Broken(text)


@task(name="notes.save_defer_and_raise_async")
async def save_defer_and_raise_async(text: str) -> None:
    await sync_to_async(save_defer_and_raise)(text)


@task(name="notes.defer_async")
async def defer_async(text: str) -> None:
    await write.defer_async(text=text)


@task(name="notes.fail", retry=Retries(max_retries=1, delay=timedelta(0), on=(Broken,)))
def fail(text: str) -> None:
    raise Broken(f"no {text}")


@task(
    name="notes.fail_beside_a_sibling",
    queueing_lock="sibling",
    retry=Retries(max_retries=1, delay=timedelta(0), on=(Broken,)),
)
def fail_beside_a_sibling() -> None:
    defer("notes.fail_beside_a_sibling", schedule_at=datetime(2050, 1, 1, tzinfo=UTC))
    raise Broken


@task(name="notes.kill_own_worker")
def kill_own_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="notes.sleep")
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@task(name="notes.sleep_async")
async def sleep_async(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@task(name="notes.every_second", queue="ticks")
def every_second() -> str:
    return "ticked"


if os.environ.get("TINY_TICKS"):
    periodic(cron="* * * * * *", catch_up=CatchUp.ALL)(every_second)
