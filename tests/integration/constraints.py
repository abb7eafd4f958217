"""What the tests of the database's own rules share: a fault is refused, and appears once its rule is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction


def assert_only_the_database_prevents(*, fault: Callable[[], object], rule: str, drop: str) -> None:
    """Commit a fault with the rule, which must refuse it by name, and without, where it must go through."""
    check_deferred_rules()
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        fault()
        check_deferred_rules()

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(drop)
        fault()
        check_deferred_rules()


def drop_rules(*rules: str) -> None:
    """Take away the rules that would refuse a fault before the one under test does."""
    check_deferred_rules()
    with connection.cursor() as cursor:
        for rule in rules:
            cursor.execute(rule)


def drop_constraint(table: str, name: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {name}"


def drop_index(name: str) -> str:
    return f"DROP INDEX {name}"


def drop_trigger(table: str, name: str) -> str:
    return f"DROP TRIGGER {name} ON {table}"


def check_deferred_rules() -> None:
    """Check now what is otherwise checked at commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
