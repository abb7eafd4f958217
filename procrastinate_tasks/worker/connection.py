"""One database connection that is opened when needed, bounded in time, and opened anew after any fault."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.db import connections
from procrastinate.contrib.django.utils import connector_params
from psycopg.sql import SQL, Identifier

from procrastinate_tasks.conf import CONNECTION_OPTIONS
from procrastinate_tasks.jobs.recording import why_refused

# Each host of an address has its own, shorter time; this one is also for its name to be found.
_OPEN_WITHIN = timedelta(seconds=30)

# Planning a claim takes longer than the claim itself. A plan is kept for so many statements and no more: the
# tables may have been empty when it was made.
_PLAN_LASTS = 50
# Where statistics are older than the jobs, a claim would sort all that wait for a lock instead of following
# an index. What a role or a database sets for its sessions is not meant for these: above read committed
# claims and ends would fail one another, and each statement has a time-out of its own.
OWN_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_sort": "off",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "intervalstyle": "postgres",
}
_KEEP_PLANS = """
    SELECT set_config(name, value, false)
    FROM unnest(%(names)s::text[], %(values)s::text[]) AS own (name, value)
    WHERE pg_backend_pid() = %(pid)s AND current_setting(name, true) IS NOT NULL
"""


_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


class Query(NamedTuple):
    """A statement and its parameters."""

    sql: LiteralString
    parameters: Mapping[str, Any]


class WorkerConnection:
    """A connection in autocommit mode for one loop; any error or time-out closes it, the next use reopens it.

    Django's own settings give the address, so a multi-host URL with ``target_session_attrs=read-write``
    finds the promoted standby on the next use.
    """

    def __init__(self, *, alias: str, purpose: str) -> None:
        self._alias = alias
        self._application_name = f"worker {purpose} {socket.gethostname()}"[:63]
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._opening = asyncio.Lock()
        self._statements = 0

    @property
    def is_open(self) -> bool:
        """Whether the next query needs no new connection."""
        return self._connection is not None and not self._connection.closed

    async def open(self) -> None:
        """Opens the connection unless it is open.

        Raises:
            psycopg.Error, TimeoutError: There is no connection to be had.
        """
        await self._open()

    async def fetch(
        self, query: LiteralString, params: Mapping[str, Any], *, within: timedelta
    ) -> list[tuple[Any, ...]]:
        """Runs one statement and returns its rows.

        Raises:
            psycopg.Error: The statement or the connection failed.
            TimeoutError: No answer within the given time.
        """
        async with self.connection(within=within) as connection:
            await self._renew_plans(connection)
            cursor = await _execute(connection, Query(query, params))
            return await cursor.fetchall()

    async def fetch_together(self, *queries: Query, within: timedelta) -> list[list[tuple[Any, ...]]]:
        """Runs statements in one round trip and one transaction, and returns the rows of each.

        Each sees what those before it did. When one fails, none of them has happened.

        Raises:
            psycopg.Error: A statement or the connection failed.
            TimeoutError: No answer within the given time.
        """
        async with self.connection(within=within) as connection:
            await self._renew_plans(connection)
            async with connection.pipeline():  # what is sent before its end is one transaction
                cursors = [await _execute(connection, query) for query in queries]
            return [await cursor.fetchall() for cursor in cursors]

    @contextlib.asynccontextmanager
    async def connection(
        self, *, within: timedelta
    ) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
        """Lends the connection; errors that leave its state in doubt close it.

        Opening it does not count: when the first of several hosts is gone, that alone may take longer.
        """
        try:
            connection = await self._open()
            async with asyncio.timeout(within.total_seconds()):
                yield connection
        except BaseException as fault:
            if (
                why_refused(fault) is None
            ):  # else it is sound: in autocommit mode the statement alone was undone
                await self.close()
            raise

    async def close(self) -> None:
        """Closes the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        async with self._opening:
            if self._connection is None or self._connection.closed:
                async with asyncio.timeout(_OPEN_WITHIN.total_seconds()):
                    self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        connection = await psycopg.AsyncConnection.connect(**self._parameters())
        try:
            if role := connections[self._alias].settings_dict["OPTIONS"].get("assume_role"):
                await connection.execute(SQL("SET ROLE {}").format(Identifier(role)))  # as Django does
            await _keep_plans(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _renew_plans(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        self._statements += 1
        if connection.prepare_threshold is not None and self._statements % _PLAN_LASTS == 0:
            await connection.execute("DISCARD PLANS", prepare=False)

    def _parameters(self) -> dict[str, Any]:
        params = {**CONNECTION_OPTIONS, **connector_params(self._alias)}
        params["application_name"] = self._application_name
        params["autocommit"] = True
        params["prepare_threshold"] = None
        return params


async def _execute(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], query: Query
) -> psycopg.AsyncCursor[tuple[Any, ...]]:
    """Runs a statement as the server knows it; psycopg would read one of this length anew each time."""
    sql, names = _with_numbers(query.sql)
    return await psycopg.AsyncRawCursor(connection).execute(sql, [query.parameters[name] for name in names])


@cache
def _with_numbers(sql: LiteralString) -> tuple[bytes, tuple[str, ...]]:
    """Returns a statement with ``$1`` in place of ``%(name)s``, and the names by their numbers."""
    numbers: dict[str, int] = {}

    def put_in(found: re.Match[str]) -> str:
        return f"${numbers.setdefault(found[1], len(numbers) + 1)}" if found[1] else "%"

    numbered = _PLACEHOLDER.sub(put_in, sql)
    return numbered.encode(), tuple(numbers)


async def _keep_plans(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
    """Has statements planned once instead of each time, and to our settings, unless the connection is pooled.

    PgBouncer in transaction mode hands each statement to another session, which knows neither our setting
    nor our prepared statements. It shows in the process id: a pooler makes one up.
    """
    names, values = list(OWN_SETTINGS), list(OWN_SETTINGS.values())
    parameters = {"pid": connection.info.backend_pid, "names": names, "values": values}
    cursor = await connection.execute(_KEEP_PLANS, parameters)
    if cursor.rowcount:
        connection.prepare_threshold = 0
