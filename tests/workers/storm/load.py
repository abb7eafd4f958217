"""The constant load: a batch of orders every quarter of a second, whatever happens to the database."""

from __future__ import annotations

import time

import psycopg

from tests.workers.storm.orders import BATCH_SECONDS, NARROW_QUEUE, Order, make_batch

# Beyond this many waiting jobs no more are ordered: the storm is about faults, not about a flood.
_MOST_WAITING = 400

_INSERT = """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)
SELECT queue, task, lock, jsonb_build_object('key', key)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS wanted (queue, task, lock, key)
"""
_LOOK = """
SELECT
    count(*) FILTER (WHERE status IN ('todo', 'doing')),
    count(*) FILTER (WHERE status = 'doing' AND queue_name = %s)
FROM procrastinate_jobs
WHERE status IN ('todo', 'doing')
"""


class Load:
    """Orders jobs, and remembers which; in ``most_narrow_at_a_time`` the most that were seen to run."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: psycopg.Connection | None = None
        self._doubtful: list[Order] = []
        self._next_at = 0.0
        self.ordered: list[Order] = []
        self.unfinished = 0
        self.most_narrow_at_a_time = 0

    def look(self) -> None:
        """Counts what is unfinished; while the database is away the last count stands."""
        try:
            row = self._connected().execute(_LOOK, [NARROW_QUEUE]).fetchone()
        except psycopg.OperationalError:
            return
        assert row is not None
        self.unfinished = row[0]
        self.most_narrow_at_a_time = max(self.most_narrow_at_a_time, row[1])

    def order_if_due(self) -> None:
        """Orders the next batch when its time has come and not too much waits."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + BATCH_SECONDS
        self.look()
        if self.unfinished < _MOST_WAITING:
            self._order()

    def settle_doubts(self) -> None:
        """Orders for certain what was sent to a database that went away before it answered."""
        while self._doubtful:
            self._order()
            time.sleep(0.05)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _order(self) -> None:
        batch = self._doubtful or make_batch(len(self.ordered) + 1)
        try:
            if not (self._doubtful and self._has_arrived(batch)):
                self._insert(batch)
        except psycopg.OperationalError:
            self._doubtful = batch
            return
        self._doubtful = []
        self.ordered += batch

    def _insert(self, batch: list[Order]) -> None:
        columns = [
            [order.queue for order in batch],
            [order.kind.value for order in batch],
            [order.lock for order in batch],
            [order.key for order in batch],
        ]
        self._connected().execute(_INSERT, columns)

    def _has_arrived(self, batch: list[Order]) -> bool:
        """A batch is one statement: it arrived whole or not at all."""
        sql = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = %s AND args->>'key' = %s)"
        row = self._connected().execute(sql, [batch[0].kind.value, str(batch[0].key)]).fetchone()
        assert row is not None
        return bool(row[0])

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._database_url, autocommit=True, application_name="storm load"
            )
        return self._connection
