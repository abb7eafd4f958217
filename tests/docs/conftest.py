"""The guide, followed once from its first command to its last."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from reyes_estancias.database_url import parse_database_url
from reyes_estancias.local_stripe.launcher import sandbox_running
from reyes_estancias.postgres.binaries import find_binaries
from tests.docs.document import GUIDE, Command, commands_of
from tests.docs.server import Outcome, Server, copy_project, put_stand_ins

DATABASE = f"guide_{os.getpid()}"

# What has happened on a site when its owner comes to a command, the first time.
_SITUATIONS = {
    "sudo systemctl daemon-reload": 'python manage.py shell --command "'
    'from payments.tasks import scan_and_charge_balances as t; t.defer()"',
}


@pytest.fixture(scope="session")
def guide_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("guide")
    shelf = put_stand_ins(place / "bin")
    with sandbox_running(state=place / "stripe.jsonl") as stripe:
        yield Server(copy_project(place / "sitio"), _environment(shelf, stripe.base_url))
    _drop_database()


@pytest.fixture(scope="session")
def followed(guide_server: Server) -> Iterator[dict[int, Outcome]]:
    """Return how each command ended, by its line; after one that failed the rest tells little."""
    outcomes, situations = {}, dict(_SITUATIONS)
    with ExitStack() as running:
        for command in commands_of(GUIDE):
            if command.text in situations:
                guide_server.run(Command(0, situations.pop(command.text)))
            outcomes[command.line] = guide_server.follow(command)
            if "enable --now" in command.text:
                running.enter_context(guide_server.worker())
        yield outcomes


def _environment(shelf: Path, stripe_url: str) -> dict[str, str]:
    server = parse_database_url(os.environ["DATABASE_URL"])
    bindir, own = find_binaries().bindir, Path(sys.executable).parent
    return {
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PATH": ":".join(
            map(str, (shelf, shelf.parent / "sitio/.venv/bin", own, bindir, os.environ["PATH"]))
        ),
        "PIP_NO_INDEX": "1",
        "PGHOST": str(server["HOST"]),
        "PGPORT": str(server["PORT"]),
        "PGUSER": str(server["USER"]),
        "PGPASSWORD": str(server.get("PASSWORD", "")),
        "GUIDE_DATABASE": DATABASE,
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{DATABASE}").geturl(),
        "DEBUG": "False",
        "SECRET_KEY": "a-key-of-the-guide's-own-server-0123456789-abcdefghij",
        "ALLOWED_HOSTS": "reyes.example",
        "SITE_BASE_URL": "https://reyes.example",
        "STRIPE_SECRET_KEY": "sk_test_guide",
        "STRIPE_WEBHOOK_SECRETS": "whsec_guide",
        "STRIPE_API_BASE": stripe_url,
        "TRUSTED_PROXIES": "1",
        "MONITORING_TOKEN": "a-token-of-the-guide's-own-server-0123456789",
    }


def _drop_database() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], dbname="postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"DROP ROLE IF EXISTS {DATABASE}")
