"""Gives a page's queries a few seconds: better to say that it was too slow than never to come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import OperationalError, connections, transaction
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException
from psycopg.errors import QueryCanceled

LONGEST_QUERY = timedelta(seconds=3)


class TookTooLong(Exception):
    """A page's query was stopped after ``LONGEST_QUERY``."""


@contextmanager
def patience() -> Iterator[None]:
    """Stop queries that take longer, and leave the connection usable.

    Raises:
        TookTooLong: a query did.
    """
    alias = procrastinate_settings.DATABASE_ALIAS
    milliseconds = LONGEST_QUERY // timedelta(milliseconds=1)
    try:
        with transaction.atomic(using=alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
    except (OperationalError, ConnectorException) as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TookTooLong from error
        raise
