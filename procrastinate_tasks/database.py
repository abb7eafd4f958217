"""How the queue app asks the database: the SQL of its rooms, the clock, the faults."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

from django.db import DatabaseError
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException

_HERE = Path(__file__).parent


@cache
def statement(name: str) -> LiteralString:
    """Return the SQL of ``<room>/sql/<file>.sql``.

    Args:
        name: room and file, as in ``jobs/defer_jobs``.
    """
    room, file = name.split("/")
    return (_HERE / room / "sql" / f"{file}.sql").read_text(encoding="utf-8")


_NOW = "SELECT clock_timestamp() AS now"

# What a question to the database may end with: Django's word for a fault, or Procrastinate's around it.
DATABASE_FAULTS = (DatabaseError, ConnectorException)


def database_now() -> datetime:
    """Return the time by the clock that every process shares."""
    now: datetime = _connector().execute_query_one(_NOW)["now"]
    return now


def fetch_rows(name: str, **parameters: object) -> list[dict[str, Any]]:
    return _connector().execute_query_all(statement(name), **parameters)


def _connector() -> DjangoConnector:
    return DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
