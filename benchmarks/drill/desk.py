"""Questions to whichever server takes writes now; a lost connection is opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg


class Desk:
    """One connection of the drill's own; not for two threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def connection(self) -> psycopg.Connection:
        """Return an open connection.

        Raises:
            psycopg.OperationalError: no server takes writes now.
        """
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=2,
                application_name="drill",
                tcp_user_timeout=3000,
                keepalives_idle=2,
                keepalives_interval=1,
                keepalives_count=2,
            )
        return self._connection

    def rows(self, query: LiteralString, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return what a query answers.

        Raises:
            psycopg.Error: the query failed or its answer was lost; the next one opens a new connection.
        """
        try:
            return self.connection().execute(query, params).fetchall()
        except psycopg.Error:
            self.close()
            raise

    def value(self, query: LiteralString, params: Mapping[str, Any] | None = None) -> Any:
        return self.rows(query, params)[0][0]

    def patient_value(self, query: LiteralString, params: Mapping[str, Any] | None = None) -> Any:
        """Return the single value of a query, or None while no server answers."""
        try:
            return self.value(query, params)
        except psycopg.Error:
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
