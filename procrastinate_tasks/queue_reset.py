"""Empties the queue between tests that commit: Django's flush leaves Procrastinate's unmanaged tables alone.

The pytest plugin loads it before Django is set up: it may import neither models nor Procrastinate.
"""

from __future__ import annotations

import unittest

import psycopg
from django.conf import settings
from django.db import OperationalError, connections, transaction

_TABLES = "procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs, procrastinate_workers"
_TRIES = 5
# TRUNCATE makes new files for every table and index; of so few jobs the rows are gone in a tenth of its time.
_FEW_JOBS = 1000


def empty_queue() -> None:
    """Delete all jobs, attempts and workers. For tests: the tables are locked while it works.

    Raises:
        OperationalError: a worker that the test has left behind held a table for ten seconds.
    """
    for further in reversed(range(_TRIES)):
        try:
            return _truncate(getattr(settings, "PROCRASTINATE_DATABASE_ALIAS", "default"))
        except OperationalError as fault:
            # Whoever a test left behind takes the tables in another order: Postgres ended one of the two.
            if not further or not isinstance(fault.__cause__, psycopg.errors.DeadlockDetected):
                raise


def _truncate(alias: str) -> None:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute(f"LOCK TABLE {_TABLES} IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SELECT count(*) FROM (SELECT FROM procrastinate_jobs LIMIT %s) AS job", [_FEW_JOBS])
        if cursor.fetchone() == (_FEW_JOBS,):
            cursor.execute(f"TRUNCATE {_TABLES} CASCADE")
        else:
            for table in _TABLES.split(", "):
                cursor.execute(f"DELETE FROM {table}")


class EmptyQueueMixin(unittest.TestCase):
    """Before ``TransactionTestCase`` or ``LiveServerTestCase``: each test begins and ends without a job."""

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test between two emptyings, whatever its own ``setUp`` and ``tearDown`` do."""
        empty_queue()
        try:
            return super().run(result)
        finally:
            empty_queue()
