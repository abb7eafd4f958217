"""Tasks that wait, loop, leak, hang and crash, for the tests of the worker."""

from __future__ import annotations

import asyncio
import time

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
