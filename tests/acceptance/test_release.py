"""``release`` migrates while the old release serves and charges."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test import Client

from bookings.models import Booking
from payments.policies import PaymentStatus
from procrastinate_tasks.verification.queue_checks import find_unusable_indexes
from tests.acceptance.live_house import LiveHouse, wait_until
from tests.factories import balance_of
from tests.workers.workers import current_database_url, query

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("procrastinate_jobs", "payments_payment")


@pytest.fixture(autouse=True)
def _old_schema_afterwards(transactional_db: None) -> Iterator[None]:
    yield
    with psycopg.connect(current_database_url(), autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN IF EXISTS next_release".encode())
        connection.execute("DELETE FROM django_migrations WHERE app = 'next_release'")


@contextmanager
def releasing(*options: str, postgres_options: str = "") -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.release_settings",
        "DATABASE_URL": current_database_url(),
        "PGOPTIONS": postgres_options,
    }
    command = [sys.executable, "manage.py", "migrate_online", "--no-input", "--lock-timeout=0.5", *options]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as release:
        try:
            yield release
        finally:
            release.kill()


@contextmanager
def long_transaction(table: str) -> Iterator[None]:
    """Read a table and do not end the transaction, as a backup does."""
    with psycopg.connect(current_database_url()) as reader:
        reader.execute(f"SELECT count(*) FROM {table}".encode())
        yield
        reader.rollback()


def has_waited_for_a_table() -> bool:
    return bool(
        query(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND wait_event = 'relation'"
        )
    )


def is_paid(bookings: list[Booking]) -> bool:
    return all(balance_of(booking).status == PaymentStatus.PAID for booking in bookings)


# Every job needs the queue's table; the other one the same release meets in the same way.
@pytest.mark.parametrize("table", [TABLES[0], pytest.param(TABLES[1], marks=pytest.mark.slow)])
def test_the_old_release_goes_on_charging_while_a_migration_cannot_get_its_lock(
    live_house: LiveHouse, table: str
):
    with long_transaction(table), releasing() as release, live_house.worker():
        wait_until(has_waited_for_a_table)
        bookings = live_house.book_due(3)
        wait_until(lambda: is_paid(bookings))

        assert Client().get(bookings[0].get_absolute_url()).status_code == 200
        assert release.poll() is None
    live_house.finish()
    live_house.assert_charged_once(bookings)


def test_the_old_release_goes_on_with_the_new_schema(live_house: LiveHouse):
    with live_house.worker():
        with long_transaction("payments_payment"), releasing() as release:
            wait_until(has_waited_for_a_table)
        with releasing() as release:
            assert release.wait(timeout=60) == 0
        bookings = live_house.book_due(2)
        wait_until(lambda: is_paid(bookings))

    assert Client().get(bookings[0].get_absolute_url()).status_code == 200
    live_house.finish()
    live_house.assert_charged_once(bookings)


def test_a_release_that_never_gets_its_lock_fails_and_says_why(transactional_db: None):
    with long_transaction("payments_payment"), releasing("--patience=1") as release:
        _, complaint = release.communicate(timeout=60)

    assert release.returncode == 1
    assert "Another session holds a lock that a migration needs." in complaint
    assert (
        query("SELECT column_name FROM information_schema.columns WHERE column_name = 'next_release'") == []
    )


def test_a_release_takes_the_time_it_needs_whatever_a_page_may_take(transactional_db: None):
    with releasing(postgres_options="-c statement_timeout=150ms") as release:
        _, complaint = release.communicate(timeout=60)

    assert (release.returncode, complaint) == (0, "")


def test_an_index_whose_build_was_interrupted_is_dropped_before_the_next_try(transactional_db: None):
    with psycopg.connect(current_database_url(), autocommit=True) as owner:
        owner.execute("CREATE INDEX half_built ON payments_payment (status)")
        owner.execute("CREATE INDEX half_built_too ON django_session (session_key)")
        owner.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE 'half_%'")
    assert find_unusable_indexes(connection) == ["public.half_built", "public.half_built_too"]

    with releasing() as release:
        _, complaint = release.communicate(timeout=60)

    assert (release.returncode, complaint) == (0, "")
    assert find_unusable_indexes(connection) == []
    assert query("SELECT 1 FROM pg_class WHERE relname LIKE %s", "half_built%") == []
