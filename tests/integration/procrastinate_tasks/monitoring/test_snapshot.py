"""The snapshot tells the queue as it is, at a cost that finished jobs do not raise."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from procrastinate_tasks.database import ask
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import ScheduleState
from procrastinate_tasks.monitoring.metrics import collect
from procrastinate_tasks.monitoring.snapshot import QueueLoad, Snapshot, take_snapshot
from procrastinate_tasks.queries.jobs import JobQuery, counts_of_tabs
from procrastinate_tasks.queries.system import read_connection_use
from procrastinate_tasks.queries.tabs import Tab
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.schedule.periodic import all_schedules
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.monitoring.faults import register_worker

pytestmark = pytest.mark.django_db

HOURLY = "bookings.tasks.mark_expired_holds"


def queue(snapshot: Snapshot, name: str) -> QueueLoad:
    return next(load for load in snapshot.queues if load.queue == name)


def defer_retry() -> None:
    job_id = defer("sample.remember", {"number": 1}, schedule_at=timezone.now() + timedelta(minutes=1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET attempts = 1 WHERE id = %s", [job_id])


def test_waiting_jobs_are_told_apart():
    defer("sample.remember", {"number": 1}, schedule_at=timezone.now() - timedelta(minutes=5))
    defer("sample.remember", {"number": 2}, schedule_at=timezone.now() + timedelta(days=1))
    defer_retry()

    load = queue(take_snapshot(), "sample")

    assert (load.ready, load.scheduled, load.to_be_retried) == (1, 1, 1)
    assert timedelta(minutes=5) <= load.oldest_wait < timedelta(minutes=6)


def test_the_jobs_of_a_paused_queue_are_ready_nowhere(client: Client, admin_user: User):
    for number in (1, 2):
        defer("sample.remember", {"number": number}, schedule_at=timezone.now() - timedelta(hours=1))
    pauses.pause_queue(queue="sample", by="Ana", reason="the bank is down")
    client.force_login(admin_user)

    listed = ask(counts_of_tabs(JobQuery(queue="sample")))
    state = client.get(reverse("admin:queue_state_json")).json()
    (row,) = (
        row for row in client.get(reverse("admin:queue_queues")).context["rows"] if row.load.queue == "sample"
    )
    metrics = {
        sample.labels["state"]: sample.value
        for metric in collect()
        if metric.name == "procrastinate_jobs"
        for sample in metric.samples
    }
    status = StringIO()
    with translation.override("en"), pytest.raises(CommandError, match="Jobs wait and no worker"):
        call_command("jobs", "status", "--json", stdout=status)
    (depth,) = json.loads(status.getvalue())["queues"]

    counts = [
        (listed[Tab.READY].number, listed[Tab.PAUSED].number),
        (state["jobs"]["ready"], state["jobs"]["paused"]),
        (state["queues"][0]["ready"], state["queues"][0]["paused"]),
        (row.load.ready, row.load.paused),
        (metrics["ready"], metrics["paused"]),
        (depth["ready"], depth["paused"]),
    ]
    assert counts == [(0, 2)] * len(counts)
    assert state["queues"][0]["oldest_wait"] == 0
    load = queue(take_snapshot(), "sample")
    assert (load.oldest_wait, load.longest_due > timedelta(minutes=59)) == (timedelta(0), True)


def test_a_paused_queue_without_jobs_is_told_with_its_rule():
    pauses.pause_queue(queue="sample", by="Ana", reason="the bank is down")

    load = queue(take_snapshot(), "sample")

    assert load.is_paused
    assert load.rule is not None and load.rule.paused_by == "Ana"
    assert load.oldest_wait == timedelta(0)


def test_failures_are_counted_by_queue_and_age():
    for _ in range(2):
        defer("sample.write_then_raise")
    drain_queue()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_events SET at = at - interval '2 hours' WHERE type = 'failed'"
            " AND job_id = (SELECT max(id) FROM procrastinate_jobs)"
        )

    load = queue(take_snapshot(), "sample")

    assert (load.failed_last_hour, load.failed_last_day) == (1, 2)


def test_a_worker_of_ours_is_silent_after_the_time_it_named_itself():
    alive = register_worker(memory_bytes=300, max_memory_bytes=400, release="r2", queues=["payments"])
    silent = register_worker(silent=timedelta(seconds=5))

    snapshot = take_snapshot()

    first, second = snapshot.workers
    assert snapshot.living_workers == (first,)
    assert (first.id, first.memory_bytes, first.max_memory_bytes, first.release) == (alive, 300, 400, "r2")
    assert first.queues == ("payments",)
    assert second.id == silent and second.heartbeat_age >= timedelta(seconds=5)


def test_a_worker_of_procrastinate_s_own_says_nothing_about_itself():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")

    (worker,) = take_snapshot().workers

    assert worker.is_alive
    assert (worker.host, worker.pid, worker.capacity) == ("", None, None)


def test_a_running_job_of_a_silent_worker_is_orphaned():
    worker_id = register_worker(silent=timedelta(seconds=5))
    job_id = defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE id = %s",
            [worker_id, job_id],
        )

    load = queue(take_snapshot(), "sample")

    assert (load.running, load.orphaned) == (0, 1)


def test_a_schedule_is_overdue_since_its_first_tick_that_nobody_dealt_with():
    (hourly,) = (item for item in all_schedules() if item.name == HOURLY)
    last = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    ScheduleState.objects.create(
        name=HOURLY, known_since={hourly.definition: last.isoformat()}, last_tick_at=last
    )

    (info,) = (item for item in take_snapshot().schedule if item.name == HOURLY)

    assert info.overdue_since == last + timedelta(hours=1)


def test_a_schedule_that_no_worker_has_seen_is_not_overdue():
    assert all(item.overdue_since is None for item in take_snapshot().schedule)


def test_the_plan_s_limit_counts_when_it_is_nearer_than_the_server_s():
    server = read_connection_use()
    with override_settings(PROCRASTINATE_TASKS_CONNECTION_LIMIT=1):
        plan = read_connection_use()

    assert server.limit > 1
    assert plan.limit == 1
    assert plan.used >= 1


def test_a_look_takes_one_way_to_the_database_and_back_whatever_the_queue_holds():
    defer("sample.remember", {"number": 1})

    with CaptureQueriesContext(
        connection,
    ) as captured:
        take_snapshot()

    assert len(captured) == 1
