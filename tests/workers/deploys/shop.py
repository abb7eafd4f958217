"""The tasks of the older release."""

from __future__ import annotations

from procrastinate.job_context import JobContext

from procrastinate_tasks.jobs.tasks import task
from tests.workers.deploys.notes import work


@task(name="deploys.greet", pass_context=True)
def greet(context: JobContext, key: int) -> str:
    return work(context, key)


@task(name="deploys.pack", pass_context=True)
def pack(context: JobContext, key: int) -> str:
    return work(context, key)


@task(name="deploys.ship", pass_context=True)
def ship(context: JobContext, key: int) -> str:
    return work(context, key)


# What this release's web processes order, and the task that no other release knows.
ORDERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("deploys.greet", {}),
    ("deploys.pack", {}),
    ("deploys.ship", {}),
)
ONLY_HERE = "deploys.ship"
