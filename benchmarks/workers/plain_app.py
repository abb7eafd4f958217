"""The workload as plain Procrastinate's app; libpq's variables name its database."""

from __future__ import annotations

import procrastinate

from benchmarks import workload
from benchmarks.workload import Work

app = procrastinate.App(connector=procrastinate.PsycopgConnector())

app.task(name=Work.NOOP_ASYNC.value)(workload.noop_async)
app.task(name=Work.NOOP_SYNC.value)(workload.noop_sync)
app.task(name=Work.WAIT_ASYNC.value)(workload.wait_async)
app.task(name=Work.WAIT_SYNC.value)(workload.wait_sync)
app.task(name=Work.STAMP.value)(workload.stamp)
