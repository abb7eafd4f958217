"""Defers jobs as a Django project does, and says how long each way took, as JSON."""

from __future__ import annotations

import json
import sys

import django

from benchmarks.workload import Work, seconds_each

if __name__ == "__main__":
    django.setup()

    from django.contrib.auth.models import Group
    from django.db import transaction

    from procrastinate_tasks import Call, defer, defer_many

    singles, bulk = map(int, sys.argv[1:])
    groups = iter(range(singles + 1))

    def beside_a_row() -> None:
        with transaction.atomic():
            Group.objects.create(name=f"group {next(groups)}")
            defer(Work.NOOP_ASYNC.value)

    def in_bulk() -> None:
        defer_many(Work.NOOP_ASYNC.value, (Call({}) for _ in range(bulk)))

    alone = seconds_each(lambda: defer(Work.NOOP_ASYNC.value), times=singles)
    beside = seconds_each(beside_a_row, times=singles)
    print(json.dumps({"alone": alone, "beside": beside, "bulk": seconds_each(in_bulk, times=1) / bulk}))
