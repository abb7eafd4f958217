"""How the database sessions of a worker's processes behave when either side is gone."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from procrastinate_tasks.conf import CONNECTION_OPTIONS

logger = logging.getLogger(__name__)


_LOOK_FOR_THE_CLIENT = "SET client_connection_check_interval = '1s'"
_READABLE_INTERVALS = "SET intervalstyle = 'postgres'"  # psycopg reads no other


def close_connections() -> None:
    """Closes what this process holds of Django's connections, and the pools they came from."""
    connections.close_all()
    for connection in connections.all():
        close_pool: Callable[[], None] | None = getattr(connection, "close_pool", None)
        if close_pool is not None:
            close_pool()


def prepare_sessions(application_name: str) -> None:
    """Has all database sessions that Django opens in this process notice when the other side is gone.

    To be called once in each forked process, before it opens any. What the settings' ``OPTIONS`` say wins.

    Args:
        application_name: by which others find these sessions, and end them when this process has died.
    """
    close_connections()  # a pool keeps what it was told of its connections when it was made
    os.environ["PGAPPNAME"] = application_name
    os.environ["PGDATESTYLE"] = "ISO"  # psycopg reads instants in no other, whatever the database's style is
    for alias in connections:
        if connections[alias].vendor != "postgresql":
            continue
        options = connections[alias].settings_dict.setdefault("OPTIONS", {})
        options["application_name"] = application_name
        for name, value in CONNECTION_OPTIONS.items():
            options.setdefault(name, value)
    connection_created.connect(_have_the_server_look)


def _have_the_server_look(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Has the server cancel a running query soon after this process died; it would look at the query's end.

    Not a start-up option: PgBouncer refuses those.
    """
    if connection.vendor != "postgresql":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(_READABLE_INTERVALS)
            cursor.execute(_LOOK_FOR_THE_CLIENT)
    except DatabaseError as refusal:  # a server on a platform that cannot look
        logger.debug("Queries will outlive this process: %s", refusal)
