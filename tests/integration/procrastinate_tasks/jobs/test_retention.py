"""Pruning: what goes, what stays, and that it never reads a whole table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.test import override_settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.actions.services import act
from procrastinate_tasks.database import statement
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.retention import RetentionReport, run_once
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.testing import drain_queue

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def a_success() -> int | None:
    job_id = defer("sample.remember", {"number": 1})
    drain_queue()
    return job_id


def a_failure() -> int | None:
    job_id = defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})
    drain_queue()
    return job_id


def remaining() -> set[int]:
    return set(ProcrastinateJob.objects.values_list("id", flat=True))


def test_successes_go_after_a_day_and_failures_after_two_weeks():
    success, failure = a_success(), a_failure()
    now = timezone.now()

    assert run_once(now + DAY - HOUR) == RetentionReport(attempts=0, jobs=0, has_more=False)
    assert run_once(now + DAY + HOUR) == RetentionReport(attempts=1, jobs=1, has_more=False)
    assert remaining() == {failure}
    run_once(now + 14 * DAY + HOUR)

    assert remaining() == set()
    assert not JobAttempt.objects.exists()
    assert not ProcrastinateEvent.objects.exists()
    assert success is not None


def test_old_jobs_go_where_the_server_binds_the_parameters_too(monkeypatch: pytest.MonkeyPatch):
    a_success()
    monkeypatch.setattr(connection.connection, "cursor_factory", ServerBindingCursor)

    assert run_once(timezone.now() + 2 * DAY).jobs == 1


def test_unfinished_jobs_stay_however_old():
    waiting = defer("sample.remember", {"number": 1})

    run_once(timezone.now() + 1000 * DAY)

    assert remaining() == {waiting}


def test_cancelled_jobs_go_too():
    job_id = defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'cancelled' WHERE id = %s", [job_id])

    assert run_once(timezone.now() + 15 * DAY).jobs == 1


def test_a_job_counts_from_its_latest_end():
    job_id = a_failure()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = at - interval '20 days'")
    act(Action.RETRY, job_ids=[job_id or 0], actor=Actor(name="ana"))
    drain_queue()

    run_once(timezone.now() + HOUR)

    assert remaining() == {job_id}


@override_settings(PROCRASTINATE_TASKS_RETENTION_BATCH=2)
def test_a_batch_is_bounded_and_says_whether_there_is_more():
    for _ in range(3):
        a_success()
    later = timezone.now() + 2 * DAY

    assert run_once(later) == RetentionReport(attempts=2, jobs=2, has_more=True)
    assert run_once(later) == RetentionReport(attempts=1, jobs=1, has_more=False)


# Of a table that is nearly empty, any index is as good as any other.
_MANY_YOUNG_JOBS = """
TRUNCATE procrastinate_jobs CASCADE;
WITH ended AS (
    INSERT INTO procrastinate_jobs (task_name, queue_name, status, args)
    SELECT 'many', 'default', 'succeeded', '{}' FROM generate_series(1, 3000)
    RETURNING id
)
INSERT INTO procrastinate_events (job_id, type, at) SELECT id, 'succeeded', now() FROM ended;
ANALYZE procrastinate_jobs, procrastinate_events;
"""


@pytest.mark.parametrize("name", ["prune_jobs", "prune_attempts"])
def test_pruning_finds_its_rows_by_an_index(name: str):
    kind: dict[str, Any] = {"kind": "succeeded", "kept": DAY, "now": None, "batch": 1000}
    with connection.cursor() as cursor:
        cursor.execute(_MANY_YOUNG_JOBS)
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement(f'jobs/{name}')}", kind)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert {"prune_jobs": "ptasks_events_end", "prune_attempts": "ptasks_attempt_outcome"}[name] in plan
