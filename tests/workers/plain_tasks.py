"""A module of plain Procrastinate: its own decorator runs a task each second. A rule hangs."""

from __future__ import annotations

import time
from collections.abc import Iterable

from procrastinate.contrib.django import app

from procrastinate_tasks.monitoring.alerts.rules import AlertRule, Finding, register_rule
from procrastinate_tasks.monitoring.snapshot import Snapshot


@app.periodic(cron="* * * * * *", periodic_id="fast")
@app.task(name="plain.tick")
def tick(timestamp: int) -> int:
    return timestamp


def hang(_: Snapshot) -> Iterable[Finding]:
    time.sleep(600)
    return ()


register_rule(AlertRule(name="hangs", title="It hangs", advice="Wait.", find=hang))
