"""Each of the queue's own rules: its fault is told once, with what to do, and so is its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from procrastinate_tasks.conf import AlertThresholds
from procrastinate_tasks.models import LiveWorker, ScheduleState
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.schedule.periodic import all_schedules
from tests.integration.procrastinate_tasks.monitoring.faults import (
    insert_ready_jobs,
    look,
    register_worker,
    settings_at_once,
    told,
)
from tests.workers.workers import current_database_url, wait_for

pytestmark = pytest.mark.django_db

HOURLY = "bookings.tasks.mark_expired_holds"


@pytest.fixture(autouse=True)
def _tell_at_once() -> Iterator[None]:
    with settings_at_once():
        yield


def delete_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


def test_a_healthy_queue_is_silent():
    register_worker()

    assert look() == set()
    assert told() == []


def test_a_stopped_worker_is_told_once_and_so_is_its_successor():
    register_worker(silent=timedelta(seconds=4))

    assert look() == {"worker_stopped"}
    look()
    assert told() == ["Alerta: Faltan procesos"]

    register_worker()
    assert look() == set()
    assert told() == ["Terminó: Faltan procesos"]


def test_fewer_workers_than_wanted_are_told():
    register_worker()

    with settings_at_once(PROCRASTINATE_TASKS_ALERT_THRESHOLDS=AlertThresholds(min_workers=2)):
        assert look() == {"worker_stopped"}

    assert "1 proceso" in mail.outbox[0].body


def test_a_stopped_schedule_is_told_until_its_tick_was_dealt_with():
    register_worker()
    (hourly,) = (item for item in all_schedules() if item.name == HOURLY)
    last = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    state = ScheduleState.objects.create(
        name=HOURLY, known_since={hourly.definition: last.isoformat()}, last_tick_at=last
    )

    assert look() == {"schedule_stopped"}
    assert HOURLY in mail.outbox[0].body
    told()

    state.last_tick_at = last + timedelta(hours=2)
    state.save()
    assert look() == set()
    assert told() == ["Terminó: Las tareas programadas se detuvieron"]


def test_a_long_queue_is_told_by_name_and_another_is_told_apart():
    register_worker()
    insert_ready_jobs(500, queue="payments")
    assert look() == set()

    insert_ready_jobs(1, queue="payments")
    pauses.pause_queue(queue="payments", by="Ana", reason="the bank is down")
    assert look() == {"queue_too_long"}
    assert "«payments»" in mail.outbox[0].body
    assert "en pausa" in mail.outbox[0].body
    assert "Ana" not in mail.outbox[0].body
    assert len(told()) == 1

    insert_ready_jobs(501, queue="emails")
    look()
    assert "«payments»" not in mail.outbox[0].body
    assert len(told()) == 1

    delete_jobs()
    assert look() == set()
    assert told() == ["Terminó: Se acumulan trabajos"]


def test_a_forgotten_transaction_is_told_with_its_process_and_application():
    register_worker()
    at_once = AlertThresholds(open_transaction=timedelta(microseconds=1))

    with settings_at_once(PROCRASTINATE_TASKS_ALERT_THRESHOLDS=at_once):
        with psycopg.connect(current_database_url(), application_name="forgetful") as other:
            other.execute("SELECT count(*) FROM procrastinate_jobs")
            other.execute("CREATE TEMPORARY TABLE kept (id integer)")
            assert look_anew() == {"transaction_forgotten"}
            process = f"el proceso {other.info.backend_pid} de la base de datos, «forgetful»"
        assert process in mail.outbox[0].body
        wait_for(lambda: not look_anew())  # the server ends a session in its own time


def look_anew() -> set[str]:
    """Look at the sessions as they are now: a transaction sees them as they were at its first look."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
    return look()


def test_failures_of_any_task_are_told_by_queue():
    register_worker()
    insert_failures(50, queue="emails")
    assert look() == set()

    insert_failures(1, queue="emails")
    assert look() == {"jobs_failing"}
    assert "51 trabajos de la cola «emails»" in mail.outbox[0].body

    with settings_at_once(PROCRASTINATE_TASKS_ALERT_THRESHOLDS=AlertThresholds(failed_jobs=None)):
        assert look() == set()


def insert_failures(count: int, *, queue: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH failed AS (INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status)"
            " SELECT %s, 'sample.remember', 0, '{}', 'failed' FROM generate_series(1, %s) RETURNING id)"
            " INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'failed', now() FROM failed",
            [queue, count],
        )


def test_a_worker_whose_processes_cannot_connect_is_told_with_the_reason():
    worker_id = register_worker(refusal="password authentication failed")

    assert look() == {"worker_refused"}
    assert "one:7" in mail.outbox[0].body
    assert "password authentication failed" in mail.outbox[0].body

    LiveWorker.objects.filter(worker_id=worker_id).update(refusal="")
    assert look() == set()


def test_a_few_jobs_that_nobody_takes_are_told_unless_staff_paused_their_queue():
    register_worker()
    insert_ready_jobs(1, queue="payments")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '16 minutes'")

    assert look() == {"jobs_wait_too_long"}
    assert "«payments»" in mail.outbox[0].body
    assert "16 min" in mail.outbox[0].body
    told()

    pauses.pause_queue(queue="payments", by="Ana", reason="the bank is down")
    assert look() == set()
    assert told() == ["Terminó: Hay trabajos en espera y nadie los toma"]


@pytest.mark.parametrize(
    ("rule", "field", "allowed"),
    [
        ("ends_not_recorded", "unrecorded_since", timedelta(seconds=10)),
        ("claims_failing", "claims_fail_since", timedelta(seconds=30)),
    ],
)
def test_a_worker_that_lives_and_cannot_work_is_told(rule: str, field: str, allowed: timedelta):
    now = timezone.now()
    said: dict[str, Any] = {"unrecorded": 3, field: now - allowed + timedelta(seconds=2)}
    worker_id = register_worker(**said)
    assert look() == set()

    LiveWorker.objects.filter(worker_id=worker_id).update(**{field: now - allowed - timedelta(seconds=2)})
    assert look() == {rule}
    assert "one:7" in mail.outbox[0].body
    told()

    LiveWorker.objects.filter(worker_id=worker_id).update(**{field: None})
    assert look() == set()
    assert len(told()) == 1


def test_a_large_worker_is_told_until_it_was_replaced():
    megabyte = 1024 * 1024
    worker_id = register_worker(memory_bytes=321 * megabyte, max_memory_bytes=400 * megabyte)

    assert look() == {"worker_memory_high"}
    assert "321 de 400 MB" in mail.outbox[0].body
    told()

    LiveWorker.objects.filter(worker_id=worker_id).update(memory_bytes=320 * megabyte)
    assert look() == set()
    assert len(told()) == 1


@pytest.mark.parametrize("seconds", [6, -6])
def test_a_host_whose_clock_is_wrong_is_told_and_so_is_its_repair(seconds: int):
    worker_id = register_worker(clock_skew=timedelta(seconds=seconds))

    with settings_at_once():
        assert look() == {"clock_wrong"}
        assert "El reloj de one difiere 6 s" in mail.outbox[0].body
        LiveWorker.objects.filter(worker_id=worker_id).update(clock_skew=timedelta(seconds=4))
        assert look() == set()


def test_scarce_connections_are_told_against_the_plan_s_limit():
    register_worker()

    with settings_at_once(PROCRASTINATE_TASKS_CONNECTION_LIMIT=1):
        assert look() == {"connections_scarce"}
    assert "de 1 conexiones" in mail.outbox[0].body
    assert look() == set()


def test_a_rule_without_a_threshold_is_off():
    with settings_at_once(PROCRASTINATE_TASKS_ALERT_THRESHOLDS=AlertThresholds(min_workers=None)):
        assert look() == set()
