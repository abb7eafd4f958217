"""Probes learn what they ask for, at no cost to secrets, caches or logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from procrastinate_tasks import database
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.monitoring import health, views
from procrastinate_tasks.monitoring.health import Readiness, check_health
from procrastinate_tasks.monitoring.logging import ProbeFilter
from procrastinate_tasks.monitoring.metrics import collect
from procrastinate_tasks.queues import pauses
from tests.integration.procrastinate_tasks.monitoring.faults import register_worker

TOKEN = "only-for-the-probe"


def failing(found: health.Health) -> list[str]:
    return [check.name for check in found.checks if not check.is_ok]


def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database's port be one where nobody answers."""
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connections["default"].settings_dict, "PORT", "1")


@contextmanager
def away_database() -> Iterator[None]:
    """Let this thread's connection be one that nobody answers."""
    kept, away = connections["default"], connections["default"].copy()
    away.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    connections["default"] = away
    try:
        yield
    finally:
        connections["default"] = kept


def test_liveness_does_without_the_database(client: Client):
    response = client.get("/salud/vivo")

    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert response["Cache-Control"] == "no-store"


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Hold a table as who rebuilds or alters it does."""
    other = connections["default"].copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["procrastinate_jobs", "procrastinate_workers"])
@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN=TOKEN)
def test_while_a_table_of_the_queue_is_locked_its_health_is_told_at_once_and_afterwards_it_is_well(
    table: str, client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "_WAIT_FOR_TABLES", database._WAIT_FOR_TABLES.replace("3s", "20ms"))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with locked(table):
        response = client.get("/salud/cola", headers=headers)
    well = client.get("/salud/cola", headers=headers)

    assert (response.status_code, response.json()["checks"]) == (
        503,
        [
            {
                "name": "database",
                "ok": False,
                "sentence": "Una tabla de la cola está bloqueada: alguien la reconstruye o modifica.",
            }
        ],
    )
    assert len(well.json()["checks"]) > 1


@pytest.mark.django_db
def test_readiness_needs_database_and_migrations(client: Client):
    response = client.get("/salud/listo")

    assert response.status_code == 200
    assert [check["name"] for check in response.json()["checks"]] == ["database", "migrations"]


@pytest.mark.django_db
def test_readiness_asks_nothing_on_the_connection_of_the_process(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(views, "_readiness", Readiness())

    with CaptureQueriesContext(connections["default"]) as asked:
        response = client.get("/salud/listo")

    assert (response.status_code, asked.captured_queries) == (200, [])


@pytest.mark.django_db
def test_readiness_answers_503_soon_when_the_database_is_away_and_names_no_host(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    nowhere(monkeypatch)

    response = client.get("/salud/listo")

    assert response.status_code == 503
    assert response["Cache-Control"] == "no-store"
    assert "127.0.0.1" not in response.content.decode()


@pytest.mark.django_db
def test_readiness_answers_503_while_migrations_are_missing(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "has_unapplied_migrations", lambda connection: True)
    monkeypatch.setattr(views, "_readiness", Readiness())

    response = client.get("/salud/listo")

    assert response.status_code == 503
    assert "manage.py migrate" in response.content.decode()


@pytest.mark.django_db
def test_the_database_of_the_tests_is_migrated():
    assert not health.has_unapplied_migrations(connections["default"])


@pytest.mark.parametrize("path", ["/salud/cola", "/metrics"])
@pytest.mark.parametrize(
    ("token", "sent", "status"),
    [("", "Bearer ", 404), (TOKEN, "", 401), (TOKEN, "Bearer wrong", 401), (TOKEN, TOKEN, 401)],
)
def test_the_queue_s_state_needs_the_token(client: Client, path: str, token: str, sent: str, status: int):
    with override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN=token):
        response = client.get(path, headers={"authorization": sent})

    assert response.status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN=TOKEN)
def test_the_scheme_is_written_in_any_case(client: Client, scheme: str):
    assert client.get("/metrics", headers={"authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.django_db
def test_a_database_that_can_only_be_read_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch):
    options = connections["default"].settings_dict["OPTIONS"]
    read_only = {**options, "options": "-c default_transaction_read_only=on"}
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", read_only)

    response = client.get("/salud/listo")

    assert response.status_code == 503
    assert [check["ok"] for check in response.json()["checks"] if check["name"] == "database"] == [False]


@pytest.mark.django_db
@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN=TOKEN)
def test_the_queue_is_healthy_while_workers_take_its_jobs(client: Client):
    asking = {"authorization": f"Bearer {TOKEN}"}
    assert client.get("/salud/cola", headers=asking).status_code == 503
    register_worker()

    response = client.get("/salud/cola", headers=asking)

    assert (response.status_code, response.json()["ok"]) == (200, True)
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_each_thing_that_is_wrong_is_named():
    register_worker(silent=timedelta(minutes=1))
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() - timedelta(minutes=6))

    assert failing(check_health()) == ["workers", "waiting"]
    assert failing(check_health(queue="payments")) == ["workers"]
    assert failing(check_health(longest_wait=timedelta(minutes=7))) == ["workers"]


@pytest.mark.django_db
def test_jobs_may_wait_in_a_paused_queue():
    register_worker()
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() - timedelta(hours=6))
    pauses.pause_queue(queue="sample", by="Ana", reason="")

    assert check_health().is_healthy


@pytest.mark.django_db
def test_a_probe_that_fails_leaves_no_line_of_django_s(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    nowhere(monkeypatch)
    probes = ProbeFilter()
    caplog.handler.addFilter(probes)
    try:
        with caplog.at_level(logging.WARNING):
            client.get("/salud/listo")
            client.get("/no-such-page")
    finally:
        caplog.handler.removeFilter(probes)

    assert [record.message for record in caplog.records] == ["Not Found: /no-such-page"]


@pytest.mark.django_db
@override_settings(PROCRASTINATE_TASKS_MONITORING_TOKEN=TOKEN)
def test_the_queue_is_not_healthy_while_nobody_can_ask_it(client: Client):
    with away_database():
        response = client.get("/salud/cola", headers={"authorization": f"Bearer {TOKEN}"})

    assert (response.status_code, response.json()["ok"]) == (503, False)
    assert [check["name"] for check in response.json()["checks"]] == ["database"]


@pytest.mark.django_db
def test_the_command_tells_people_and_scripts_and_exits_with_one_when_something_is_wrong(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as wrong:
        call_command("jobs", "health")
    assert wrong.value.code == 1
    assert capsys.readouterr().out.startswith("✗ Procesos en marcha: 0")
    register_worker()

    call_command("jobs", "health", "--json")

    assert json.loads(capsys.readouterr().out)["ok"] is True


@pytest.mark.django_db
def test_the_command_exits_with_two_when_nobody_can_tell():
    with away_database(), pytest.raises(CommandError) as unknown:
        call_command("jobs", "health")

    assert unknown.value.returncode == 2


@pytest.mark.django_db
def test_a_worker_whose_processes_cannot_connect_is_unhealthy_and_the_reason_is_for_staff():
    register_worker(refusal="role app at db.example refused")

    found = check_health()

    assert failing(found) == ["connecting"]
    assert not any("example" in check.sentence for check in found.checks)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("check", "field", "state"),
    [
        ("records", "unrecorded_since", "no puede registrar"),
        ("claims", "claims_fail_since", "no puede tomar trabajos"),
    ],
)
@override_settings(LANGUAGE_CODE="es-mx")
def test_a_worker_that_beats_and_cannot_work_is_not_healthy(
    check: str, field: str, state: str, capsys: pytest.CaptureFixture[str]
):
    said: dict[str, Any] = {"unrecorded": 3, field: timezone.now() - timedelta(seconds=40)}
    register_worker(**said)

    assert failing(check_health()) == [check]
    with pytest.raises(SystemExit):
        call_command("jobs", "health")
    capsys.readouterr()
    call_command("jobs", "status")
    assert state in capsys.readouterr().out
    (worker,) = (metric for metric in collect() if metric.name == "procrastinate_worker_unrecorded_jobs")
    assert [sample.value for sample in worker.samples] == [3]


@pytest.mark.django_db
def test_what_a_silent_worker_last_said_is_no_trouble_of_today():
    since = timezone.now() - timedelta(minutes=5)
    register_worker()
    register_worker(silent=timedelta(minutes=4), unrecorded_since=since, claims_fail_since=since)

    assert failing(check_health()) == []


@pytest.mark.django_db
def test_what_is_paused_is_told_and_is_no_fault():
    register_worker()
    assert "Nada está en pausa." in [check.sentence for check in check_health().checks]

    pauses.pause_queue(queue="payments", by="Ana")

    (told,) = (check for check in check_health().checks if check.name == "paused")
    assert told.is_ok
    assert told.sentence.endswith("no cuentan: payments")
