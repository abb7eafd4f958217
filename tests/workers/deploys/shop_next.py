"""The tasks of the newer release: ``greet`` takes one more argument, ``pack`` has a new name, ``ship`` is
gone, ``bill`` is new. In the newer checkout this file takes the place of ``shop.py``.
"""

from __future__ import annotations

from procrastinate.job_context import JobContext

from procrastinate_tasks.jobs.tasks import task
from tests.workers.deploys.notes import work


@task(name="deploys.greet", pass_context=True)
def greet(context: JobContext, key: int, *, greeting: str = "hello") -> str:
    assert greeting in ("hello", "good day")
    return work(context, key)


@task(name="deploys.wrap", aliases=["deploys.pack"], pass_context=True)
def wrap(context: JobContext, key: int) -> str:
    return work(context, key)


@task(name="deploys.bill", pass_context=True)
def bill(context: JobContext, key: int) -> str:
    return work(context, key)


ORDERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("deploys.greet", {"greeting": "good day"}),
    ("deploys.wrap", {}),
    ("deploys.bill", {}),
)
ONLY_HERE = "deploys.bill"
