"""Claims ready jobs, as many at a time as there are free slots."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from procrastinate_tasks.engine.links import DatabaseLink
from procrastinate_tasks.exchange.frames import Assignment
from procrastinate_tasks.statements import statement

_WITHIN = timedelta(seconds=15)
_MOST_CLASHES = 5


class ClaimRefused(Exception):
    """The worker's row is gone from the database: others took it for dead, so it must register anew."""


class Outlook(NamedTuple):
    """What a worker that found too little waits for.

    ``seconds_to_next`` is how long until a waiting job may start, 0 or less if one may now, None if only a
    notification can tell. ``has_ready`` counts also the jobs that a limit alone holds back.
    """

    seconds_to_next: float | None
    has_ready: bool


class Claims:
    """Claims for one worker on its own connection: jobs of the tasks that its release knows."""

    def __init__(
        self, link: DatabaseLink, *, queues: tuple[str, ...] | None, task_names: Iterable[str]
    ) -> None:
        self._link = link
        self._served = {
            "queues": None if queues is None else list(queues),
            "tasks": Jsonb(dict.fromkeys(task_names, 1)),
        }

    async def claim(self, *, worker_id: int, slots: int) -> list[Assignment]:
        """Claims up to ``slots`` jobs, most urgent first.

        Raises:
            ClaimRefused: The worker is no longer registered.
            psycopg.Error, TimeoutError: The database could not answer.
        """
        params = {**self._served, "worker_id": worker_id, "slots": slots}
        for clash in range(_MOST_CLASHES + 1):
            try:
                rows = await self._link.fetch(statement("claim_jobs"), params, within=_WITHIN)
            except psycopg.errors.ForeignKeyViolation as gone:
                raise ClaimRefused from gone
            except psycopg.errors.UniqueViolation:
                # Two workers met on one lock: the other's claim is committed by now, and can be seen.
                if clash == _MOST_CLASHES:
                    raise
            else:
                return sorted((Assignment(*row) for row in rows), key=lambda job: (-job.priority, job.job_id))
        raise AssertionError("unreachable")

    async def look_ahead(self) -> Outlook:
        """Looks when the next waiting job may start.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        rows = await self._link.fetch(statement("next_due"), self._served, within=_WITHIN)
        return Outlook(*rows[0])
