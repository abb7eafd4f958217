"""Tasks that wait, loop, leak, hang and crash, for the tests of the worker."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.db import connection
from procrastinate.job_context import JobContext

from procrastinate_tasks.retries import Retries
from procrastinate_tasks.tasks import task


@task(name="engine.async_no_op")
async def async_no_op() -> None:
    return None


@task(name="engine.no_op")
def no_op() -> None:
    return None


@task(name="engine.add")
def add(left: int, right: int) -> int:
    return left + right


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


@task(name="engine.spin")
def spin() -> None:
    while True:
        pass


def run_sql(sql: str, *params: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
