"""Fixtures for every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from django.utils import translation
from pytest_django import DjangoDbBlocker

from tests.cluster import migrated_template
from tests.emptying import empty_after, remember_groups
from tests.log_scan import ScanningHandler

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("any_machine", deadline=None)
hypothesis.settings.register_profile("fast", deadline=None, max_examples=20)
hypothesis.settings.load_profile("any_machine")

TransactionTestCase._fixture_teardown = empty_after  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Copy one migrated database for each process: to make all tables takes ten times as long."""
    if template := migrated_template():
        connections["default"].settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        remember_groups()


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
