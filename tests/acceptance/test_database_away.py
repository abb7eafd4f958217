"""While the database cannot be asked, each address says so, soon and in words, and is back by itself."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psycopg
import pytest

from tests.acceptance.dynos import FROM_THE_ROUTER, collect_static, running_dyno, status_at
from tests.acceptance.live_house import SECRET
from tests.ports import free_port
from tests.stripe_transport import TEST_KEY
from tests.workers.postgres import Server, own_server
from tests.workers.workers import granted, wait_for

TOKEN = "only-for-the-probe"
HEADERS = {**FROM_THE_ROUTER, "Authorization": f"Bearer {TOKEN}"}
OF_SOMEBODY = {**FROM_THE_ROUTER, "Cookie": "sessionid=of-somebody"}
# Every probe, the numbers, what a script of the office asks, and a page.
WHILE_AWAY = {
    "/salud/vivo": 200,
    "/salud/listo": 503,
    "/salud/cola": 503,
    "/metrics": 200,
    "/admin/queue/state.json": 503,
    "/": 503,
}
SECONDS = 8.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_server() as server:
        server.rows("CREATE ROLE site LOGIN IN ROLE pg_read_all_data, pg_write_all_data")
        yield server


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.url.replace("postgres@", "site@", 1)


@pytest.fixture(scope="module")
def web(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Procfile's web process, and where it answers."""
    directory = tmp_path_factory.mktemp("web")
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.dyno_settings",
        "DATABASE_URL": url,
        "DYNO_STATIC_ROOT": str(directory / "static"),
        "DEBUG": "False",
        "SECRET_KEY": os.environ.get("SECRET_KEY", "insecure-development-key"),
        "SITE_BASE_URL": "https://reyes.example",
        "STRIPE_SECRET_KEY": TEST_KEY,
        "STRIPE_WEBHOOK_SECRETS": SECRET,
        "EMAIL_URL": "dummymail://",
        "MONITORING_TOKEN": TOKEN,
        "WEB_CONCURRENCY": "1",
        "PORT": str(port),
    }
    collect_static(environment)
    with running_dyno("web", log=directory / "web.log", environment=environment):
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: status_at(f"{address}/salud/vivo") == 200)
        yield address


def answer_of(address: str) -> tuple[int, str]:
    """Status and body of the answer, which comes soon; probes have no session, people do."""
    headers = HEADERS if "salud" in address or "metrics" in address else OF_SOMEBODY
    began = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:  # noqa: S310 - our own address
            status, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            status, body = refusal.code, refusal.read().decode()
    assert time.monotonic() - began < granted(SECONDS), address
    return status, body


def statuses(web: str) -> dict[str, int]:
    return {path: answer_of(web + path)[0] for path in WHILE_AWAY}


def sentences(web: str) -> list[str]:
    return [check["sentence"] for check in json.loads(answer_of(f"{web}/salud/listo")[1])["checks"]]


def test_missing_migrations_are_named_and_one_that_runs_holds_no_probe_up(server: Server, web: str):
    with psycopg.connect(server.url) as migrating:
        migrating.execute("LOCK TABLE django_migrations")
        assert answer_of(f"{web}/salud/listo")[0] == 503
    removed = server.rows("DELETE FROM django_migrations WHERE app = 'sessions' RETURNING app, name, applied")

    found, told = answer_of(f"{web}/salud/listo")[0], sentences(web)

    assert found == 503
    assert told == ["La base de datos responde.", "Faltan migraciones: manage.py migrate"]
    for row in removed:
        server.rows("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", *row)
    assert answer_of(f"{web}/salud/listo")[0] == 200


def test_used_up_connections_are_named(server: Server, url: str, web: str):
    taken = "Todas las conexiones a la base de datos están ocupadas."
    server.rows("ALTER ROLE site CONNECTION LIMIT 5")
    with ExitStack() as stack:
        stack.callback(server.rows, "ALTER ROLE site CONNECTION LIMIT -1")

        def are_taken() -> bool:
            with suppress(psycopg.OperationalError):  # the web process holds some, which may come free
                stack.enter_context(psycopg.connect(url))
            return sentences(web) == [taken]

        wait_for(are_taken)

        assert answer_of(f"{web}/salud/listo")[0] == 503
        assert answer_of(f"{web}/salud/vivo")[0] == 200
    wait_for(lambda: answer_of(f"{web}/salud/listo")[0] == 200)


def test_a_server_that_is_down_is_told_and_the_site_is_back_with_it(server: Server, web: str):
    server.stop()
    try:
        found, told = statuses(web), sentences(web)
    finally:
        server.start()

    assert found == WHILE_AWAY
    assert told == ["La base de datos no responde."]
    wait_for(lambda: answer_of(f"{web}/salud/listo")[0] == 200)
    assert answer_of(f"{web}/")[0] == 200
