"""The workload as tasks of this project's queue app."""

from __future__ import annotations

from benchmarks import workload
from benchmarks.workload import Work
from procrastinate_tasks.jobs.tasks import task

noop_async = task(name=Work.NOOP_ASYNC.value)(workload.noop_async)
noop_sync = task(name=Work.NOOP_SYNC.value)(workload.noop_sync)
wait_async = task(name=Work.WAIT_ASYNC.value)(workload.wait_async)
wait_sync = task(name=Work.WAIT_SYNC.value)(workload.wait_sync)
stamp = task(name=Work.STAMP.value)(workload.stamp)
