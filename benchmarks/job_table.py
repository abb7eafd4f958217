"""Procrastinate's job table as the benchmark drives it: the same statements for every peer that has one."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.database import PeerDatabase
from benchmarks.peer import JobsNotDone, Span
from benchmarks.workload import Work

PATIENCE_SECONDS = 180.0
# Counting the jobs costs the server as much as running some; when the last one ended, the event log says.
_LOOK_EVERY_SECONDS = 0.25

_DEFER = """
    SELECT procrastinate_defer_jobs_v1(array_agg(
        ROW('bench', %(task)s, 0, NULL, NULL, %(args)s::jsonb, NULL)::procrastinate_job_to_defer_v1
    ))
    FROM generate_series(1, %(count)s)
"""
_PROGRESS = """
    SELECT
        count(*) FILTER (WHERE status = 'succeeded') AS done,
        count(*) FILTER (WHERE status IN ('failed', 'cancelled', 'aborted')) AS failed
    FROM procrastinate_jobs
    WHERE id > %(after)s
"""
_SPAN = """
    SELECT
        min(at) FILTER (WHERE type = 'started') AS first_at,
        max(at) FILTER (WHERE type = 'succeeded') AS last_at
    FROM procrastinate_events
    WHERE job_id > %(after)s
"""
_CLEAR = """
    TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers
    CASCADE
"""


class JobTable:
    """The jobs of one peer; ``name`` and ``log`` tell in an error whose they are."""

    def __init__(self, database: PeerDatabase, *, name: str, log: Path) -> None:
        self._database = database
        self._name = name
        self._log = log
        self._last_id_before = 0

    def load(self, work: Work, count: int) -> None:
        """Insert jobs in one statement, and let the planner know."""
        self._last_id_before = self._database.value("SELECT coalesce(max(id), 0) FROM procrastinate_jobs")
        self._database.connection.execute(_DEFER, {"task": work.value, "args": "{}", "count": count})
        self._database.connection.execute("ANALYZE procrastinate_jobs")

    def wait(self, count: int) -> Span:
        """Wait for the jobs loaded last, and read from the event log how long they took."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (progress := self._progress())["done"] < count:
            if progress["failed"] or time.monotonic() > give_up_at:
                raise JobsNotDone(peer=self._name, wanted=count, log=self._log, **progress)
            time.sleep(_LOOK_EVERY_SECONDS)
        row = self._database.connection.execute(_SPAN, {"after": self._last_id_before}).fetchone()
        return Span(**row) if row else Span(*[self._database.value("SELECT now()")] * 2)

    def send(self, token: int) -> float:
        """Insert a ``STAMP`` job; return the instant just before the COMMIT."""
        arguments = {"task": Work.STAMP.value, "args": f'{{"token": {token}}}', "count": 1}
        with self._database.connection.transaction():
            self._database.connection.execute(_DEFER, arguments)
            return time.time()

    def clear(self) -> None:
        """Empty the tables."""
        self._database.connection.execute(_CLEAR)

    def _progress(self) -> dict[str, int]:
        row = self._database.connection.execute(_PROGRESS, {"after": self._last_id_before}).fetchone()
        return row or {"done": 0, "failed": 0}
