"""Pytest plugin: starts the tests' throw-away Postgres before Django's settings are read.

With DATABASE_URL set, the tests use that server. pytest-xdist's workers inherit the controller's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from reyes_estancias.postgres import locks
from reyes_estancias.postgres.exceptions import PostgresUnavailable
from reyes_estancias.postgres.server import throw_away_server
from tests.workers.postgres import MIGRATED, migrate

# Names the server of this run, if it is the tests' own.
_OWN = "TESTS_OWN_SERVER"


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
        os.environ["DATABASE_URL"] = os.environ[_OWN] = address.as_url()
    if MIGRATED not in os.environ:
        os.environ[MIGRATED] = stack.enter_context(tempfile.TemporaryDirectory(prefix="reyes-migrated-"))
    return (yield)


def migrated_template() -> str | None:
    """Return the name of a database with all tables, for the several processes of a run to copy; or none.

    On a server that is not the tests' own nothing is left behind.
    """
    url = os.environ.get(_OWN)
    if url is None or "PYTEST_XDIST_WORKER" not in os.environ:
        return None
    server, _, name = url.rpartition("/")
    home = Path(os.environ[MIGRATED])
    with locks.exclusive(home / "template.lock"):
        if not (home / "template").exists():
            with psycopg.connect(f"{server}/postgres", autocommit=True) as session:
                session.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            migrate(url)
            (home / "template").touch()
    return name
