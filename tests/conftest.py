"""Fixtures for every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase
from django.utils import translation
from pytest_django import DjangoDbBlocker

from tests.log_scan import ScanningHandler

QUEUE_TABLES = (
    "procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers"
)
TRANSACTIONAL_FIXTURES = {"transactional_db", "django_db_reset_sequences", "live_server"}


@pytest.fixture(autouse=True)
def _empty_queue_after_transactional_tests(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Empty Procrastinate's tables after a test that commits: Django's flush skips unmanaged models."""
    yield
    if not _commits(request):
        return
    with django_db_blocker.unblock(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL lock_timeout = '10s'"
        )  # a worker left behind by the test should fail it, not hang it
        cursor.execute(f"TRUNCATE {QUEUE_TABLES} CASCADE")


@pytest.fixture(autouse=True)
def _language() -> Iterator[None]:
    """Begin each test in the site's language: a request in another leaves that one active behind it."""
    with translation.override(settings.LANGUAGE_CODE):
        yield


@pytest.fixture(autouse=True)
def _no_secret_is_logged() -> Iterator[None]:
    """Fail a test in which any line of any log holds a key, a card number, an e-mail address or a link."""
    handler = ScanningHandler()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    assert not handler.found, f"in the log: {handler.found}"


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    marked = marker is not None and (marker.kwargs.get("transaction") or marker.args[:1] == (True,))
    in_class = request.cls is not None and issubclass(request.cls, TransactionTestCase)
    return bool(
        marked
        or TRANSACTIONAL_FIXTURES.intersection(request.fixturenames)
        or (in_class and not issubclass(request.cls, TestCase))
    )
