"""Rows of models read by statements that are written as SQL.

What guests ask for with every page is read so: the ORM takes longer to put such a statement together than
Postgres takes to answer it.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model


def columns_of(model: type[Model], table: str) -> str:
    """Return the columns of a model, for the list of a SELECT."""
    return ", ".join(f'{table}."{field.column}"' for field in model._meta.concrete_fields)


def models_of(values: tuple[Any, ...], *models: type[Model]) -> list[Any]:
    """Return the rows side by side in these values, each with its columns in the order of ``columns_of``."""
    rows, at = [], 0
    for model in models:
        names = [field.attname for field in model._meta.concrete_fields]
        rows.append(model.from_db(connection.alias, names, values[at : at + len(names)]))
        at += len(names)
    return rows


def read_rows(statement: str, asked: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
