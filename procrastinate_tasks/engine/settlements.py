"""Settles finished runs, many in one statement, and never forgets one that the database has not confirmed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.engine.end_log import log_end
from procrastinate_tasks.engine.links import DatabaseLink
from procrastinate_tasks.exchange.frames import Assignment, RunEnd
from procrastinate_tasks.results import Outcome
from procrastinate_tasks.settling import Settled, encode_ends
from procrastinate_tasks.statements import statement

logger = logging.getLogger(__name__)

_WITHIN = timedelta(seconds=15)
_MOST_IN_ONE = 200
_MOST_CLASHES = 5


class Finished(NamedTuple):
    """A finished run on its way into the database; the assignment is for its log line."""

    end: RunEnd
    assignment: Assignment | None = None


class Settlements:
    """Finished runs on their way into the database; ``add`` takes them in, ``run_once`` settles them."""

    def __init__(self, link: DatabaseLink, *, delete_jobs: DeleteJobCondition) -> None:
        self._link = link
        self._delete_jobs = delete_jobs
        self._release = queue_settings().release
        self._host = socket.gethostname()
        self._waiting: list[Finished] = []
        self._has_work = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether the database has confirmed every run that was added."""
        return not self._waiting

    def job_ids(self) -> set[int]:
        """The jobs whose end the database has not confirmed yet."""
        return {finished.end.job_id for finished in self._waiting}

    def add(self, finished: Iterable[Finished]) -> None:
        """Takes finished runs in."""
        self._waiting += finished
        if self._waiting:
            self._has_work.set()

    async def run_once(self) -> bool:
        """Settles what has gathered, and says whether a lock was set free.

        On an error everything stays gathered.

        What the database does not accept was lost to another worker, or settled by an earlier statement whose
        answer never came.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        await self._has_work.wait()
        batch = self._waiting[:_MOST_IN_ONE]
        settled = await self._settle([finished.end for finished in batch])
        del self._waiting[: len(batch)]
        if not self._waiting:
            self._has_work.clear()
        for finished in batch:
            log_end(finished.assignment, finished.end, settled.get(finished.end.job_id))
        return any(finished.assignment is not None and finished.assignment.lock for finished in batch)

    async def _settle(self, ends: Sequence[RunEnd]) -> dict[int, Settled]:
        params = {"ends": encode_ends(map(self._columns_of, ends))}
        for clash in range(_MOST_CLASHES + 1):
            try:
                rows = await self._link.fetch(statement("settle_jobs"), params, within=_WITHIN)
            except psycopg.errors.UniqueViolation:
                # A job with the same queueing lock was committed while the statement ran: now it can be seen.
                if clash == _MOST_CLASHES:
                    raise
            else:
                return {row[0]: _settled(row) for row in rows}
        raise AssertionError("unreachable")

    def _columns_of(self, end: RunEnd) -> dict[str, object]:
        own = {"host": self._host, "release": self._release, "deletes_job": self._deletes(end)}
        return end._asdict() | own

    def _deletes(self, end: RunEnd) -> bool:
        if self._delete_jobs is DeleteJobCondition.SUCCESSFUL:
            return end.status == "succeeded"
        return self._delete_jobs is DeleteJobCondition.ALWAYS


def _settled(row: tuple[Any, ...]) -> Settled:
    job_id, status, outcome, sibling_id, *_ = row
    return Settled(job_id=job_id, status=status, outcome=Outcome(outcome), sibling_id=sibling_id)
