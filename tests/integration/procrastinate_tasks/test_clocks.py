"""What is stored, due or deleted follows the database's clock, whatever the host's says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from freezegun import freeze_time
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Job
from procrastinate.retry import RetryStrategy

from procrastinate_tasks.actions import bulk
from procrastinate_tasks.actions.bulk import batch_of
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import Actor
from procrastinate_tasks.jobs import rescue, retention
from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.jobs.recording import record
from procrastinate_tasks.jobs.retries import Retries
from procrastinate_tasks.models import BulkOperation, Channel, JobAttempt, LiveWorker, Outcome
from procrastinate_tasks.queries.workers import list_workers
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.claiming import register_worker, run
from tests.integration.procrastinate_tasks.ending import end_of, start

pytestmark = pytest.mark.django_db

SKEWS = [timedelta(days=15), timedelta(minutes=-2), timedelta(days=-400)]
TOLERANCE = timedelta(seconds=10)


@contextmanager
def host_clock(skew: timedelta) -> Iterator[None]:
    """Let this host's clocks be wrong, and go on."""
    with freeze_time(datetime.now(UTC) + skew, tick=True):
        yield


def near(instant: datetime | None, wanted: datetime) -> bool:
    return instant is not None and abs(instant - wanted) < TOLERANCE


def test_a_host_in_the_future_deletes_nobody_s_records():
    for task_name, args in (("sample.remember", {"number": 1}), ("sample.write_then_raise", {})):
        defer(task_name, args)
    drain_queue()

    with host_clock(timedelta(days=15)):
        report = retention.run_once()

    assert (report.jobs, report.attempts) == (0, 0)
    assert ProcrastinateJob.objects.count() == 2


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("strategy", ["ours", "Procrastinate's"])
def test_a_retry_20_s_later_is_due_20_s_later(skew: timedelta, strategy: str):
    job_id = defer("sample.remember", {"number": 1})
    start(job_id)

    with host_clock(skew):
        record([a_retry(job_id, strategy)])

    due = ProcrastinateJob.objects.get(id=job_id).scheduled_at
    assert near(due, timezone.now() + timedelta(seconds=20))


def a_retry(job_id: int | None, strategy: str) -> Completion:
    delay = timedelta(seconds=20)
    ours = Retries(max_retries=1, delay=delay)
    retries = ours if strategy == "ours" else RetryStrategy(max_attempts=2, wait=20)
    job = Job(id=job_id, queue="q", lock=None, queueing_lock=None, task_name="t")
    decision = retries.get_retry_decision(exception=ValueError(), job=job)
    assert decision is not None
    return end_of(job_id, Outcome.RETRYING)._replace(retry_at=decision.retry_at)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_run_is_stored_when_it_was(skew: timedelta):
    job_id = defer("sample.remember", {"number": 1})
    start(job_id)

    with host_clock(skew):
        end = end_of(job_id, Outcome.SUCCEEDED)
        record([end._replace(started_at=end.started_at - 30)])

    attempt = JobAttempt.objects.get()
    assert near(attempt.finished_at, timezone.now())
    assert near(attempt.started_at, timezone.now() - timedelta(seconds=30))


@pytest.mark.parametrize("skew", SKEWS)
def test_a_lost_run_is_stored_when_it_was_lost(skew: timedelta):
    start(defer("sample.remember", {"number": 1}))

    with host_clock(skew):
        assert rescue.run_once().run_again

    attempt = JobAttempt.objects.get()
    assert near(attempt.finished_at, timezone.now())
    assert attempt.started_at <= attempt.finished_at


@pytest.mark.parametrize("skew", SKEWS)
def test_a_bulk_operation_keeps_its_pace_and_ends_when_it_ends(skew: timedelta):
    operation = BulkOperation.objects.create(
        token=uuid4(),
        action=Action.RETRY.value,
        channel=Channel.ADMIN,
        pace_per_minute=10,
        last_batch_at=timezone.now(),
    )

    with host_clock(skew):
        bulk.defer_next(operation.pk)
        bulk.stop(operation.pk, actor=Actor(name="ana"))

    operation.refresh_from_db()
    job = ProcrastinateJob.objects.get()
    assert near(job.scheduled_at, timezone.now() + batch_of(operation).pause)
    assert near(operation.ended_at, timezone.now())


@pytest.mark.parametrize("seconds", [-90, 0, 12])
def test_each_beat_notes_how_far_its_host_s_clock_is_ahead(seconds: int):
    worker_id = register_worker()

    with host_clock(timedelta(seconds=seconds)):
        troubles = {"refusal": "", "unrecorded": 0, "unrecorded_seconds": None, "claims_fail_seconds": None}
        beat = {"worker_id": worker_id, "running": 0, "memory_bytes": 0, **troubles}
        run("worker/heartbeat", **beat, host_time=time.time())

    skew = LiveWorker.objects.get(worker_id=worker_id).clock_skew
    assert skew is not None
    assert abs(skew - timedelta(seconds=seconds)) < timedelta(seconds=2)
    assert list_workers()[0].clock_skew == skew
