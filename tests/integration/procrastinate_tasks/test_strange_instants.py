"""Pages, commands and questions about a job that is due at an instant which Python does not know."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from procrastinate_tasks.database import ask
from procrastinate_tasks.monitoring.health import check_health
from procrastinate_tasks.monitoring.metrics import collect
from procrastinate_tasks.queries.queues import queue_depths
from procrastinate_tasks.testing import drain_queue, refute_enqueued
from tests.integration.procrastinate_tasks.claiming import execute, look_ahead

pytestmark = pytest.mark.django_db

PAST = ("0001-01-01 00:00:00+00", "0044-03-15 BC", "-infinity")
FUTURE = ("294276-12-31 23:59:59+00", "infinity")
INSTANTS = (*PAST, *FUTURE)


@pytest.fixture(autouse=True, params=["UTC", "America/Mexico_City", "Pacific/Kiritimati"])
def _zone(request: pytest.FixtureRequest, settings: Any) -> None:
    """Also of the session: that is how Postgres writes an instant, and psycopg reads it."""
    execute(f"SET LOCAL timezone = '{request.param}'")
    settings.TIME_ZONE = request.param


def job_due_at(instant: str) -> int:
    """Inserted with it, so that there is an event of that instant as well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
            " VALUES ('sample', 'sample.remember', '{\"number\": 1}', %s::timestamptz) RETURNING id",
            [instant],
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("instant", INSTANTS)
def test_every_page_that_shows_the_job_opens(instant: str, admin_client: Client):
    job_id = job_due_at(instant)

    for page in (
        reverse("admin:procrastinate_tasks_job_change", args=[job_id]),
        reverse("admin:procrastinate_tasks_job_changelist"),
        reverse("admin:queue_queues"),
        reverse("admin:queue_system"),
    ):
        assert admin_client.get(page, follow=True).status_code == 200, page


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("is_json", [False, True])
def test_every_command_that_shows_the_job_ends_well(
    instant: str, is_json: bool, capsys: pytest.CaptureFixture[str]
):
    job_id = job_due_at(instant)
    options = ["--json"] if is_json else []

    call_command("jobs", "show", str(job_id), *options)
    call_command("jobs", "list", *options)
    call_command("jobs", "why", str(job_id), *options)

    assert str(job_id) in capsys.readouterr().out


@pytest.mark.parametrize("instant", INSTANTS)
def test_what_looks_at_the_whole_queue_sees_it(instant: str):
    job_due_at(instant)

    (depth,) = ask(queue_depths())

    assert (depth.ready, depth.scheduled) == ((1, 0) if instant in PAST else (0, 1))
    check_health()
    assert list(collect())
    seconds, _ = look_ahead()
    assert seconds is not None
    assert (seconds <= 0) is (instant in PAST)


@pytest.mark.parametrize("instant", INSTANTS)
def test_it_runs_in_a_test_s_drain_as_in_a_worker_when_its_time_has_come(instant: str):
    job_due_at(instant)

    assert drain_queue().succeeded == (1 if instant in PAST else 0)

    if instant in PAST:
        refute_enqueued("sample.remember")


@pytest.mark.parametrize(
    "instant", ["2026-05-01 12:00:00+00", "0001-01-02 00:00:00+00", "9999-12-30 00:00:00+00"]
)
def test_an_instant_that_everybody_knows_is_left_as_it_is(instant: str):
    with connection.cursor() as cursor:
        cursor.execute("SELECT procrastinate_tasks_readable_v1(%s)", [instant])
        assert cursor.fetchone() == (parse_datetime(instant),)
