"""The engine's tests share one emptied set of tables, and a log a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from tests.emptying import empty_tables

QUEUE = [
    "procrastinate_events",
    "procrastinate_jobs",
    "procrastinate_periodic_defers",
    "procrastinate_tasks_jobattempt",
    "procrastinate_workers",
]


@pytest.fixture(autouse=True)
def _empty_queue(transactional_db: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Procrastinate's tables have no managed models, so nobody else empties them."""
    empty()
    yield
    empty()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def empty() -> None:
    with connection.cursor() as cursor:
        # A worker that a test killed could not end what its jobs left running in the database.
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database()"
            " AND (application_name LIKE 'queue child%' OR application_name LIKE 'worker %')"
        )
    empty_tables(QUEUE)
