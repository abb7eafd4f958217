"""What the jobs do; every peer's tasks are these. It needs nothing but the standard library."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

WAIT_SECONDS = 0.25
STAMPS_VARIABLE = "BENCH_STAMPS"


class Work(StrEnum):
    """The kinds of job, by the names of their tasks."""

    NOOP_ASYNC = "bench.noop_async"
    NOOP_SYNC = "bench.noop_sync"
    WAIT_ASYNC = "bench.wait_async"
    WAIT_SYNC = "bench.wait_sync"
    STAMP = "bench.stamp"


async def noop_async() -> None:
    """Do nothing, in a coroutine."""


def noop_sync() -> None:
    """Do nothing."""


async def wait_async() -> None:
    """Wait as for a slow service, in a coroutine."""
    await asyncio.sleep(WAIT_SECONDS)


def wait_sync() -> None:
    """Wait as for a slow service."""
    time.sleep(WAIT_SECONDS)


def stamp(token: int) -> None:
    """Note when this line was reached; the clock is the machine's, which the sender reads as well."""
    reached = time.time()
    # One short write to a file opened for appending is atomic, whichever process makes it.
    with Path(os.environ[STAMPS_VARIABLE]).open("a", encoding="ascii") as stamps:
        stamps.write(f"{token} {reached:.6f}\n")


def seconds_each(work: Callable[[], object], *, times: int) -> float:
    """Return how long something takes, after a first time that does not count if there are several."""
    if times > 1:
        work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times
