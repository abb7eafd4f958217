"""A backup of the house, as the guide has it made and restored: all rows and numbers of an earlier hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction

from payments.protocols.memory import guard
from tests.faults.conftest import empty_tables, house_tables


@dataclass(frozen=True, slots=True)
class Backup:
    """What every table held, as COPY writes it, and which number each sequence had come to."""

    rows: Mapping[str, bytes]
    numbers: Mapping[str, int | None]


def back_up() -> Backup:
    """Write down what is committed now."""
    with transaction.atomic(), connection.cursor() as cursor:
        rows = {}
        for name in house_tables():
            with cursor.copy(f"COPY {name} TO STDOUT") as copy:
                rows[name] = b"".join(copy)
        cursor.execute(
            "SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE schemaname = 'public'"
        )
        return Backup({name: content for name, content in rows.items() if content}, dict(cursor.fetchall()))


def restore(backup: Backup) -> None:
    """Bring it back into new files, as pg_restore does; workers are started afresh afterwards."""
    with transaction.atomic(), connection.cursor() as cursor:
        empty_tables()
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE payments_stripememory")
        for name, content in backup.rows.items():
            with cursor.copy(f"COPY {name} FROM STDIN") as copy:
                copy.write(content)
        for name, number in backup.numbers.items():
            cursor.execute("SELECT setval(%s, %s, %s)", (name, number or 1, number is not None))
    guard._compared_at = None
