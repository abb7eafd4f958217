"""How the queue app asks the database: its SQL, one statement a file, in ``sql/``; the clock; the faults."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

from django.db import DatabaseError
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException

_FOLDER = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> LiteralString:
    """Return the SQL of ``sql/<name>.sql``."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


# What a question to the database may end with: Django's word for a fault, or Procrastinate's around it.
DATABASE_FAULTS = (DatabaseError, ConnectorException)


def database_now() -> datetime:
    """Return the time by the clock that every process shares."""
    now: datetime = fetch_rows("database_now")[0]["now"]
    return now


def fetch_rows(name: str, **parameters: object) -> list[dict[str, Any]]:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    return connector.execute_query_all(statement(name), **parameters)
