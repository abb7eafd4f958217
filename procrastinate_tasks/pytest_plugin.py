"""What pytest finds by itself where the package is installed: no test that commits leaves a job behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import TestCase, TransactionTestCase
from django.utils.module_loading import import_string

_COMMITTING_FIXTURES = {"transactional_db", "django_db_reset_sequences", "live_server"}


@pytest.fixture(autouse=True)
def procrastinate_queue_is_emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Empty the queue after a test that commits; a test in a transaction pays nothing."""
    yield
    if _uses_the_queue(request) and _commits(request):
        # Not imported above: pytest loads this plugin before Django is set up.
        empty_queue = import_string("procrastinate_tasks.testing.empty_queue")
        with request.getfixturevalue("django_db_blocker").unblock():
            empty_queue()


def _uses_the_queue(request: pytest.FixtureRequest) -> bool:
    has_pytest_django = request.config.pluginmanager.has_plugin("django")
    return has_pytest_django and settings.configured and "procrastinate_tasks" in settings.INSTALLED_APPS


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    marked = marker is not None and (marker.kwargs.get("transaction") or marker.args[:1] == (True,))
    in_class = request.cls is not None and issubclass(request.cls, TransactionTestCase)
    return bool(
        marked
        or _COMMITTING_FIXTURES.intersection(request.fixturenames)
        or (in_class and not issubclass(request.cls, TestCase))
    )
