"""Pytest plugin: starts the tests' throw-away Postgres before Django's settings are read.

With DATABASE_URL set, the tests use that server. pytest-xdist's workers inherit the controller's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from reyes_estancias.postgres.exceptions import PostgresUnavailable
from reyes_estancias.postgres.server import throw_away_server
from tests.workers.postgres import MIGRATED


@pytest.hookimpl(
    wrapper=True
)  # a wrapper, because it has to come before pytest-django, which reads the settings here
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    stack = ExitStack()
    early_config.add_cleanup(stack.close)
    if not os.environ.get("DATABASE_URL"):
        try:
            address = stack.enter_context(throw_away_server())
        except PostgresUnavailable as error:
            raise pytest.UsageError(str(error)) from error
        os.environ["DATABASE_URL"] = address.as_url()
    if MIGRATED not in os.environ:
        os.environ[MIGRATED] = stack.enter_context(tempfile.TemporaryDirectory(prefix="reyes-migrated-"))
    return (yield)
