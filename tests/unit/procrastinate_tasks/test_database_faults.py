"""Which faults mean that the database cannot be asked now, and which that others hold all connections."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DataError, Error, InterfaceError, OperationalError, ProgrammingError
from procrastinate.exceptions import ConnectorException

from procrastinate_tasks.database import are_connections_taken, is_away


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("fault", "is_so"),
    [
        (OperationalError("connection refused"), True),
        (InterfaceError("connection already closed"), True),
        (caused(OperationalError(), psycopg.errors.AdminShutdown()), True),
        (caused(OperationalError(), psycopg.errors.TooManyConnections()), True),
        (caused(ConnectorException(), OperationalError("connection refused")), True),
        (caused(ConnectorException(), psycopg.OperationalError("connection refused")), True),
        (caused(ConnectorException(), psycopg.errors.LockNotAvailable()), True),
        (caused(ConnectorException(), psycopg.errors.QueryCanceled()), False),
        (caused(OperationalError(), psycopg.errors.QueryCanceled()), False),
        (caused(OperationalError(), psycopg.errors.DeadlockDetected()), False),
        (ProgrammingError("no such table"), False),
        (DataError(), False),
        (ValueError(), False),
    ],
)
def test_a_database_that_is_away_is_told_from_other_faults(fault: BaseException, is_so: bool):
    assert is_away(fault) is is_so


@pytest.mark.parametrize(
    ("words", "is_so"),
    [
        ('FATAL:  too many connections for role "site"', True),
        ("FATAL:  sorry, too many clients already", True),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", True),
        ("connection refused", False),
    ],
)
def test_used_up_connections_are_known_by_the_servers_words(words: str, is_so: bool):
    assert are_connections_taken(Error(words)) is is_so
