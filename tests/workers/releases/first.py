"""The tasks of the older of two releases."""

from __future__ import annotations

from procrastinate_tasks.jobs.tasks import task


@task(name="release.greet")
def greet(name: str) -> str:
    return f"first: {name}"


@task(name="release.only_first")
def only_first() -> str:
    return "first"
