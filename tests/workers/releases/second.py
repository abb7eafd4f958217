"""The tasks of the newer of two releases: one is new, one takes another argument, one is gone."""

from __future__ import annotations

from datetime import timedelta

from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.jobs.tasks import task


@task(name="release.greet")
def greet(name: str, *, greeting: str = "hello") -> str:
    return f"second: {greeting} {name}"


@task(name="release.only_second", retry=Retries(max_retries=3, delay=timedelta(seconds=1)))
def only_second() -> str:
    return "second"
