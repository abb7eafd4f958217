"""Empties tables between tests that commit.

TRUNCATE makes new files for every table and index, filled or not: half a second of a processor a test.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import OperationalError, connections, transaction
from django.test import TransactionTestCase
from psycopg.errors import DeadlockDetected

# What migrations and Django itself write once, and no test changes.
_KEPT = {"auth_permission", "django_content_type", "django_migrations"}
# Of these, what migrations wrote stays: the groups of staff.
_KEPT_UP_TO = {"auth_group": "id", "auth_group_permissions": "group_id"}
_TRIES = 5
_own_groups: dict[str, int] = {}


def remember_groups(*, using: str = "default") -> None:
    """Take note of the groups that there are before the first test."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM auth_group")
        (_own_groups[using],) = cursor.fetchone()


def empty_tables(tables: Iterable[str], *, using: str = "default") -> None:
    """Delete the rows of ``tables``; as TRUNCATE does, wait for whoever still writes to one of them."""
    connection = connections[using]
    names = [connection.ops.quote_name(table) for table in sorted(tables)]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
        )
        filled = [row[0] for row in cursor.fetchall()]
        # Neither foreign keys nor the triggers that keep what must never be deleted.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for name in filled:
            column = _KEPT_UP_TO.get(name.strip('"'))
            condition = f"WHERE {column} > {_own_groups.get(using, 0)}" if column else ""
            cursor.execute(f"DELETE FROM {name} {condition}")


def empty_after(case: TransactionTestCase) -> None:
    """Take the place of ``TransactionTestCase``'s flush, which also writes Django's own rows anew."""
    for alias in case._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        tables = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
        _empty_in_the_end(set(tables) - _KEPT, alias)


def _empty_in_the_end(tables: set[str], alias: str) -> None:
    """A process that serves several tests may read tables in another order: Postgres ends one of the two."""
    for further in reversed(range(_TRIES)):
        try:
            return empty_tables(tables, using=alias)
        except OperationalError as fault:
            if not further or not isinstance(fault.__cause__, DeadlockDetected):
                raise
