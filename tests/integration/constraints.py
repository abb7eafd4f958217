"""What the tests of the database's own rules share: a fault is refused, and appears once its rule is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction


def assert_only_the_database_prevents(*, fault: Callable[[], object], rule: str, drop: str) -> None:
    """Commit a fault with the rule, which must refuse it by name, and without, where it must go through."""
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        fault()
        _check_deferred_rules()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(drop)
        fault()
        _check_deferred_rules()


def drop_constraint(table: str, name: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {name}"


def drop_index(name: str) -> str:
    return f"DROP INDEX {name}"


def drop_trigger(table: str, name: str) -> str:
    return f"DROP TRIGGER {name} ON {table}"


def _check_deferred_rules() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
