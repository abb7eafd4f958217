"""Promise: a fault is told within fifteen seconds, once, and so is its end; without living workers too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.utils import timezone

from procrastinate_tasks.models import ScheduleState
from procrastinate_tasks.schedule.periodic import all_schedules
from tests.alert_receiver import Receiver, open_receiver
from tests.workers.workers import (
    ROOT,
    current_database_url,
    end,
    insert_jobs,
    query,
    started_worker,
    wait_for,
)

SETTINGS = "tests.acceptance.alert_settings"
PROMISE_SECONDS = 15.0
HOURLY = "bookings.tasks.mark_expired_holds"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="receiver")
def _receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with open_receiver() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.url)
        yield receiver


@contextmanager
def web_server(log: Path) -> Iterator[None]:
    """Run the site as production does, with two web processes."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": current_database_url(),
        "WEB_CONCURRENCY": "2",
    }
    command = ["gunicorn", "--config", "reyes_estancias/gunicorn_conf.py", "--bind", "127.0.0.1:0"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: log.read_text(encoding="utf-8").count("Booting worker") == 2)
        yield
    finally:
        server.terminate()
        server.wait()


def wait_until_told(receiver: Receiver, *alerts: str) -> None:
    wait_for(lambda: all(receiver.events_of(alert) for alert in alerts), within=PROMISE_SECONDS)


@contextmanager
def held_up(schedule_name: str) -> Iterator[None]:
    """Lock a schedule's row from outside, so that no worker gets at it."""
    with psycopg.connect(current_database_url()) as holder:
        holder.execute(
            "SELECT 1 FROM procrastinate_tasks_schedulestate WHERE name = %s FOR UPDATE", [schedule_name]
        )
        yield
        holder.rollback()


def leave_behind(schedule_name: str) -> None:
    """Let the last tick of a schedule be two hours ago."""
    (item,) = (each for each in all_schedules() if each.name == schedule_name)
    last = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    ScheduleState.objects.create(
        name=schedule_name, known_since={item.definition: last.isoformat()}, last_tick_at=last
    )


def test_when_the_last_worker_is_killed_a_web_process_says_so_and_when_another_comes(
    receiver: Receiver, tmp_path: Path
):
    with web_server(tmp_path / "web.log"):
        with started_worker(tmp_path / "worker.log", settings_module=SETTINGS) as worker:
            wait_for(lambda: query("SELECT 1 FROM procrastinate_tasks_liveworker"))
            end(worker)
            wait_until_told(receiver, "worker_stopped")
        with started_worker(tmp_path / "worker.log", settings_module=SETTINGS):
            wait_for(lambda: len(receiver.events_of("worker_stopped")) == 2)

    assert receiver.events_of("worker_stopped") == ["alert_fired", "alert_recovered"]
    assert receiver.received[0]["title"] == "Alerta: Faltan procesos"


def test_a_worker_tells_of_a_backlog_a_schedule_that_stands_still_and_too_much_memory(
    receiver: Receiver, tmp_path: Path
):
    leave_behind(HOURLY)
    insert_jobs("engine.no_op", count=501, queue="nobody-s")
    insert_jobs("engine.leak", {"megabytes": 165}, queue="default")

    options = ("--queues", "default", "--max-memory", "260")
    with (
        held_up(HOURLY),
        started_worker(tmp_path / "worker.log", *options, settings_module=SETTINGS),
    ):
        told = ("queue_too_long", "schedule_stopped", "worker_memory_high")
        wait_until_told(receiver, *told)
        query("DELETE FROM procrastinate_jobs WHERE queue_name = 'nobody-s' RETURNING id")
        wait_for(lambda: len(receiver.events_of("queue_too_long")) == 2)

    assert receiver.events_of("queue_too_long") == ["alert_fired", "alert_recovered"]
    assert receiver.events_of("schedule_stopped") == ["alert_fired"]
    assert receiver.events_of("worker_memory_high") == ["alert_fired"]
