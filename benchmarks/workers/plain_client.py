"""Defers jobs as Procrastinate's documentation does, and says how long each way took, as JSON."""

from __future__ import annotations

import json
import sys

from procrastinate import SyncPsycopgConnector
from procrastinate.types import JSONDict

from benchmarks.workers.plain_app import app
from benchmarks.workload import Work, seconds_each

if __name__ == "__main__":
    singles, bulk = map(int, sys.argv[1:])
    with app.replace_connector(SyncPsycopgConnector()) as client, client.open():
        task = client.configure_task(Work.NOOP_ASYNC.value, queue="bench")
        alone = seconds_each(task.defer, times=singles)
        many: list[JSONDict] = [{} for _ in range(bulk)]
        in_bulk = seconds_each(lambda: task.batch_defer(*many), times=1)
    print(json.dumps({"alone": alone, "bulk": in_bulk / bulk}))
