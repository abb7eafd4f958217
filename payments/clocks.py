"""Two clocks that have to agree before money moves: this machine's and the database's."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from payments.exceptions import ClocksDisagree

MOST_SKEW = timedelta(seconds=60)


def require_agreement() -> None:
    """Refuse to charge by a clock that is wrong: what is due, and how old a key is, would be wrong too.

    Raises:
        ClocksDisagree: by more than ``MOST_SKEW``.
    """
    skew = timezone.now() - read_database_clock()
    if abs(skew) > MOST_SKEW:
        raise ClocksDisagree(skew=skew)


def read_database_clock() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    read: datetime = now
    return read
