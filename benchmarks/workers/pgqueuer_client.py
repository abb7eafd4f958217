"""Enqueues jobs as PgQueuer's documentation does, and says how long each way took, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

from benchmarks.workload import Work


async def main(singles: int, bulk: int) -> dict[str, float]:
    queries = Queries(AsyncpgDriver(await asyncpg.connect()))
    await queries.enqueue(Work.NOOP_ASYNC.value, None)
    began = time.perf_counter()
    for _ in range(singles):
        await queries.enqueue(Work.NOOP_ASYNC.value, None)
    between = time.perf_counter()
    await queries.enqueue([Work.NOOP_ASYNC.value] * bulk, [None] * bulk, [0] * bulk)
    return {"alone": (between - began) / singles, "bulk": (time.perf_counter() - between) / bulk}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*map(int, sys.argv[1:])))))
