"""A task that a worker defers every second."""

from __future__ import annotations

from procrastinate_tasks import CatchUp, periodic, task


@periodic(every=1, catch_up=CatchUp.SKIP)
@task(name="engine.every")
def every() -> None: ...
