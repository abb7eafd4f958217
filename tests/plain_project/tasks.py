"""Tasks as a project of plain Procrastinate has them: retried, periodic, with a context."""

from __future__ import annotations

from typing import Any

import procrastinate
from procrastinate.contrib.django import app

from tests.plain_project.mail import send


@app.periodic(cron="* * * * * *")
@app.task(name="plain.tick", queueing_lock="tick", pass_context=False)
async def tick(timestamp: int) -> int:
    return timestamp


@app.task(name="plain.retried", retry=procrastinate.RetryStrategy(max_attempts=2, wait=0), pass_context=True)
def retried(context: procrastinate.JobContext) -> None:
    raise ConnectionError(f"attempt {context.job.attempts}")


@app.task(name="plain.retried_by_number", retry=1)
async def retried_by_number(**anything: Any) -> None:
    raise ConnectionError


@app.task(name="plain.defers")
def defers() -> None:
    send.defer(address="from a task")
