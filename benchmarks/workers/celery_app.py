"""The workload as a Celery app, which acknowledges late and prefetches one job a process.

It runs in an environment of its own, with Celery and without this project.
"""

from __future__ import annotations

import os

from celery import Celery

from benchmarks import workload
from benchmarks.workload import Work

REDIS_SOCKET = os.environ["BENCH_REDIS_SOCKET"]
RESULTS_DATABASE = 1
BROKER = f"redis+socket://{REDIS_SOCKET}"

app = Celery(
    "bench",
    broker=BROKER,
    backend=f"{BROKER}?virtual_host={RESULTS_DATABASE}",
)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    result_expires=86_400,
    broker_connection_retry_on_startup=True,
)

app.task(name=Work.NOOP_SYNC.value)(workload.noop_sync)
app.task(name=Work.WAIT_SYNC.value)(workload.wait_sync)
app.task(name=Work.STAMP.value)(workload.stamp)
