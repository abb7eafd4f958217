"""The workload as PgQueuer's entry points; it runs in PgQueuer's own environment."""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job

from benchmarks import workload
from benchmarks.workload import Work


async def main(concurrency: int) -> None:
    """Run a queue manager on the database that libpq's variables name."""
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect()))

    @queue.entrypoint(Work.NOOP_ASYNC.value)
    async def noop_async(_: Job) -> None:
        await workload.noop_async()

    @queue.entrypoint(Work.NOOP_SYNC.value)
    async def noop_sync(_: Job) -> None:
        await asyncio.to_thread(workload.noop_sync)

    @queue.entrypoint(Work.WAIT_ASYNC.value)
    async def wait_async(_: Job) -> None:
        await workload.wait_async()

    @queue.entrypoint(Work.WAIT_SYNC.value)
    async def wait_sync(_: Job) -> None:
        await asyncio.to_thread(workload.wait_sync)

    @queue.entrypoint(Work.STAMP.value)
    async def stamp(job: Job) -> None:
        await asyncio.to_thread(workload.stamp, int(job.payload or b"0"))

    await queue.run(batch_size=concurrency // 2, max_concurrent_tasks=concurrency)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
