"""A job that has not started by the time it expires ends as cancelled, and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from freezegun import freeze_time
from procrastinate.contrib.django.models import ProcrastinateJob

from procrastinate_tasks.jobs import expiry
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import cancel, defer, defer_many
from procrastinate_tasks.models import JobExpiry
from procrastinate_tasks.queues.diagnosis import why_not_running
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.claiming import claim, execute
from tests.integration.procrastinate_tasks.sample_tasks import CALLS, remember

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
PAST = datetime(2021, 5, 1, tzinfo=UTC)


def status_of(job_id: int | None) -> str:
    return str(ProcrastinateJob.objects.get(id=job_id).status)


def reason_of(job_id: int) -> str:
    with translation.override("en"):
        return why_not_running(job_id).sentence


def test_a_job_whose_time_is_over_does_not_run():
    late = defer("sample.remember", {"number": 1}, expires_at=PAST)
    timely = remember.using(expires_in=HOUR).defer(number=2)

    report = drain_queue()

    assert CALLS == [2]
    assert (report.succeeded, report.expired) == (1, 1)
    assert (status_of(late), status_of(timely)) == ("cancelled", "succeeded")


def test_it_is_told_why_it_did_not_run():
    job_id = defer("sample.remember", {"number": 1}, expires_at=PAST)
    assert job_id is not None
    expiry.run_once()

    assert reason_of(job_id).endswith("it expired before it started.")


def test_one_that_people_cancelled_did_not_expire():
    job_id = defer("sample.remember", {"number": 1}, expires_at=PAST, queueing_lock="one")
    assert job_id is not None
    cancel(queueing_lock="one")
    expiry.run_once()

    assert reason_of(job_id).endswith("it was cancelled.")


def test_once_started_its_time_is_spent_and_retries_come_as_ever():
    with freeze_time("2031-05-01 12:00") as clock:
        defer("sample.flaky", {"email": "x"}, expires_at=datetime(2031, 5, 1, 13, tzinfo=UTC))
        assert drain_queue().retried == 1
        clock.tick(HOUR * 2)
        report = drain_queue(with_scheduled=True)

    assert (report.retried, report.failed, report.expired) == (1, 1, 0)
    assert not JobExpiry.objects.exists()


def test_a_worker_s_claim_ends_what_expired_and_takes_the_rest():
    late = defer("sample.remember", {"number": 1}, expires_at=PAST, priority=9)
    timely = defer("sample.remember", {"number": 2}, expires_in=HOUR)

    assert claim(slots=2) == [timely]

    assert status_of(late) == "cancelled"
    assert JobExpiry.objects.get().expired_at is not None


def test_a_job_retried_by_hand_after_it_expired_runs():
    job_id = defer("sample.remember", {"number": 1}, expires_at=PAST)
    expiry.run_once()
    execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", job_id)
    expiry.run_once()

    assert drain_queue().succeeded == 1


def test_many_spent_expiries_hold_up_none(settings):
    settings.PROCRASTINATE_TASKS_RETENTION_BATCH = 10
    defer_many("sample.remember", [Call({"number": n}, expires_at=PAST - HOUR) for n in range(25)])
    execute("UPDATE procrastinate_jobs SET status = 'failed'")
    last = defer("sample.remember", {"number": 1}, expires_at=PAST)

    ended = [expiry.run_once() for _ in range(4)]

    assert sum(ended) == 1
    assert status_of(last) == "cancelled"


def test_what_is_kept_goes_with_the_job():
    defer("sample.remember", {"number": 1}, expires_in=HOUR)
    execute("DELETE FROM procrastinate_jobs")

    assert not JobExpiry.objects.exists()
