"""The Postgres of one benchmark: durable, with the same settings for every peer, a database each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from reyes_estancias.postgres.server import Address, throw_away_server

# Checkpoints would write whole pages again in the middle of a measurement: there is none in an hour.
SERVER_OPTIONS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "top",
}
WORKER_ROLE = "bench_worker"


@dataclass(frozen=True, slots=True)
class Meter:
    """What a worker has cost the server since the meter was set to zero."""

    wal_bytes: int
    statements: int


class PeerDatabase:
    """One peer's database: its worker connects under a role of its own, so that the server can tell them."""

    def __init__(self, *, address: Address, name: str) -> None:
        self._libpq = {
            "PGHOST": str(address.socket_dir),
            "PGPORT": str(address.port),
            "PGDATABASE": name,
        }
        self._superuser = address.user
        self._wal_at_reset = 0
        self.connection = psycopg.connect(
            host=str(address.socket_dir),
            port=address.port,
            user=address.user,
            dbname=name,
            autocommit=True,
            row_factory=dict_row,
        )
        self.connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def environment(self, *, as_worker: bool) -> dict[str, str]:
        """Return the environment of a process that uses this database by libpq's variables."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**inherited, **self._libpq, "PGUSER": WORKER_ROLE if as_worker else self._superuser}

    def value(self, query: LiteralString, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the single value a query answers."""
        row = self.connection.execute(query, parameters).fetchone()
        if row is None:
            return None
        (value,) = row.values()
        return value

    def reset_meter(self) -> None:
        """Set the meter to zero."""
        self.connection.execute("SELECT pg_stat_statements_reset()")
        self._wal_at_reset = self._wal_position()

    def read_meter(self) -> Meter:
        """Read what the worker's role has executed, and what anybody has written, since the reset."""
        statements = self.value(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE userid = %(role)s::regrole",
            {"role": WORKER_ROLE},
        )
        return Meter(wal_bytes=self._wal_position() - self._wal_at_reset, statements=statements)

    def spent_milliseconds(self, pattern: str) -> float:
        """Return the execution time of the worker's statements that are like this, since the reset."""
        spent: float = self.value(
            "SELECT coalesce(sum(total_exec_time), 0) FROM pg_stat_statements"
            " WHERE userid = %(role)s::regrole AND query LIKE %(pattern)s",
            {"role": WORKER_ROLE, "pattern": pattern},
        )
        return spent

    def count_connections(self) -> int:
        """Return how many connections the worker holds."""
        count: int = self.value(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %(role)s AND datname = current_database()",
            {"role": WORKER_ROLE},
        )
        return count

    def worker_backends(self) -> list[int]:
        """Return the server's processes for the worker's connections."""
        rows = self.connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %(role)s AND datname = current_database()",
            {"role": WORKER_ROLE},
        )
        return [row["pid"] for row in rows]

    @contextmanager
    def without_triggers(self) -> Iterator[None]:
        """Write rows without their events and notifications."""
        self.connection.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            self.connection.execute("SET session_replication_role = DEFAULT")

    def end_all_jobs(self) -> None:
        """Have every waiting job claimed and ended, as far as its row tells."""
        with self.without_triggers():
            for status in ("doing", "succeeded"):
                self.connection.execute(
                    "UPDATE procrastinate_jobs SET status = %(status)s::procrastinate_job_status",
                    {"status": status},
                )

    @contextmanager
    def snapshot(self, *, is_pinned: bool) -> Iterator[None]:
        """Keep a transaction open that may still see everything as it is now."""
        if not is_pinned:
            yield
            return
        with psycopg.connect(self.connection.info.dsn) as forgotten:
            forgotten.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            forgotten.execute("SELECT 1 FROM procrastinate_jobs LIMIT 1")
            yield

    def _wal_position(self) -> int:
        return int(self.value("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"))


class BenchServer:
    """The server, on which each peer gets its database."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection = psycopg.connect(
            host=str(address.socket_dir),
            port=address.port,
            user=address.user,
            dbname="postgres",
            autocommit=True,
        )
        role = sql.Identifier(WORKER_ROLE)
        self._connection.execute(sql.SQL("CREATE ROLE {} SUPERUSER LOGIN").format(role))

    @property
    def version(self) -> str:
        return self._connection.info.parameter_status("server_version") or "?"

    @contextmanager
    def database(self, name: str) -> Iterator[PeerDatabase]:
        """Create an empty database; it goes with the server."""
        self._connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        database = PeerDatabase(address=self._address, name=name)
        try:
            yield database
        finally:
            database.connection.close()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """Run the server for the length of the block."""
    with throw_away_server(options=SERVER_OPTIONS) as address:
        server = BenchServer(address)
        try:
            yield server
        finally:
            server.close()
