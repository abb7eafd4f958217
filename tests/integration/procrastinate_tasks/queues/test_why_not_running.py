"""Each cause that keeps a job from running, made to happen, and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from procrastinate.contrib.django import app

from procrastinate_tasks.conf import Rate
from procrastinate_tasks.formatting import moment_in_words
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import cancel, defer, defer_many
from procrastinate_tasks.queues import control, pauses
from procrastinate_tasks.queues.diagnosis import Reason, why_not_running
from procrastinate_tasks.queues.policies import Cause
from procrastinate_tasks.testing import drain_queue
from tests.integration.procrastinate_tasks.claiming import claim, execute, register_worker

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def waiting_job(number: int = 1, **options: Any) -> int:
    job_id = defer("sample.remember", {"number": number}, **options)
    assert job_id is not None
    return job_id


def locked_job(priority: int = 0) -> int:
    configured = app.configure_task("sample.remember", lock="room:7", priority=priority)
    return configured.defer(number=1)


def silence(worker_id: int, *, since: timedelta) -> None:
    execute("UPDATE procrastinate_workers SET last_heartbeat = now() - %s WHERE id = %s", since, worker_id)


def why(job_id: int) -> Reason:
    """Ask, and check what holds for every answer."""
    with CaptureQueriesContext(connection) as statements:
        reason = why_not_running(job_id)
    assert len(statements) <= 2
    assert reason.job_id == job_id
    assert "%(" not in reason.sentence
    return reason


def test_nothing_but_the_next_moment():
    register_worker()

    assert why(waiting_job()).cause is Cause.STARTS_NOW


def test_it_is_due_later():
    due_at = timezone.now() + HOUR

    reason = why(waiting_job(schedule_at=due_at))

    assert (reason.cause, reason.at) == (Cause.SCHEDULED, due_at)
    assert moment_in_words(due_at) in reason.sentence


def test_it_waits_for_its_retry_after_an_error():
    job_id = defer("sample.flaky", {"email": "ana@example.com"})
    assert job_id is not None
    drain_queue()

    reason = why(job_id)

    assert reason.cause is Cause.WAITS_FOR_RETRY
    assert "Flaky: cannot reach" in reason.sentence
    assert "ana@example.com" not in reason.sentence


def test_its_queue_is_paused():
    register_worker()
    pauses.pause_queue(queue="sample", by="Ana", reason="the bank is down")

    reason = why(waiting_job())

    assert (reason.cause, reason.person) == (Cause.PAUSED, "Ana")
    assert "paused by Ana since" in reason.sentence
    assert "the bank is down" in reason.sentence


def test_a_job_runs_with_its_lock():
    worker_id = register_worker()
    first, second = locked_job(), locked_job()
    claim(1, worker_id=worker_id)

    reason = why(second)

    assert (reason.cause, reason.blocking_job_id) == (Cause.LOCK_HELD, first)


def test_another_job_with_its_lock_comes_first():
    register_worker()
    later = locked_job()
    urgent = locked_job(priority=5)

    reason = why(later)

    assert (reason.cause, reason.blocking_job_id) == (Cause.LOCK_AWAITED, urgent)
    assert why(urgent).cause is Cause.STARTS_NOW


def test_its_queue_has_started_what_it_may():
    worker_id = register_worker()
    control.limit_queue(queue="sample", rate=Rate(2, per=HOUR))
    ids = [waiting_job(number) for number in range(3)]
    claim(worker_id=worker_id)

    reason = why(ids[2])

    assert reason.cause is Cause.RATE_REACHED
    assert "started the 2 jobs that it may in 3600 s" in reason.sentence
    assert reason.at is not None
    assert HOUR - timedelta(minutes=1) < reason.at - timezone.now() < HOUR * 1.06


def test_its_queue_runs_what_it_may():
    worker_id = register_worker()
    control.limit_queue(queue="sample", concurrency=2)
    ids = [waiting_job(number) for number in range(3)]
    claim(worker_id=worker_id)

    reason = why(ids[2])

    assert reason.cause is Cause.CONCURRENCY_REACHED
    assert "runs 2 jobs, and may run 2 at a time" in reason.sentence


@pytest.mark.parametrize("queues", [None, ["elsewhere"]])
def test_no_living_worker_serves_its_queue(queues: list[str] | None):
    worker_id = register_worker(queues=queues)
    if queues is None:
        silence(worker_id, since=HOUR)

    reason = why(waiting_job())

    assert reason.cause is Cause.NO_WORKER
    assert "serves queue sample" in reason.sentence


def test_no_living_worker_knows_its_task():
    register_worker(tasks=["sample.other"])

    reason = why(waiting_job())

    assert reason.cause is Cause.UNKNOWN_TASK
    assert "sample.remember" in reason.sentence


def test_a_worker_of_procrastinate_s_own_may_know_every_task():
    execute("SELECT procrastinate_register_worker_v1()")

    assert why(waiting_job()).cause is Cause.STARTS_NOW


def test_all_slots_are_busy():
    worker_id = register_worker(capacity=2)
    defer_many("sample.remember", (Call({"number": n}) for n in range(5)))
    last = waiting_job()
    claim(2, worker_id=worker_id)

    reason = why(last)

    assert reason.cause is Cause.NO_FREE_SLOT
    assert "All 2 slots of its workers are busy; 3 ready jobs" in reason.sentence


def test_it_is_running():
    worker_id = register_worker()
    job_id = waiting_job()
    claim(worker_id=worker_id)

    reason = why(job_id)

    assert (reason.cause, reason.worker_id) == (Cause.RUNNING, worker_id)
    assert reason.at is not None


def test_its_worker_is_gone_and_another_will_rescue_it(settings):
    settings.PROCRASTINATE_TASKS_RESCUE_EVERY = timedelta(seconds=5)
    gone = register_worker(orphaned_after=timedelta(seconds=4))
    register_worker()
    job_id = waiting_job()
    claim(worker_id=gone)
    silence(gone, since=timedelta(seconds=10))

    reason = why(job_id)

    assert (reason.cause, reason.worker_id) == (Cause.ORPHANED, gone)
    assert reason.at is not None
    assert abs(reason.at - timezone.now() - timedelta(seconds=5)) < timedelta(seconds=2)


def test_its_worker_is_gone_and_nobody_is_left_to_rescue_it():
    gone = register_worker()
    job_id = waiting_job()
    claim(worker_id=gone)
    silence(gone, since=HOUR)

    reason = why(job_id)

    assert (reason.cause, reason.at) == (Cause.ORPHANED, None)
    assert "no other is alive" in reason.sentence


def test_it_ended():
    succeeded = waiting_job()
    failed = defer("sample.flaky", {"email": "ana@example.com", "hopeless": True})
    cancelled = waiting_job(2, queueing_lock="sample:2", schedule_at=timezone.now() + HOUR)
    assert failed is not None
    drain_queue()
    cancel(queueing_lock="sample:2")

    reasons = [why(job_id) for job_id in (succeeded, failed, cancelled)]

    assert {reason.cause for reason in reasons} == {Cause.ENDED}
    assert "it succeeded" in reasons[0].sentence
    assert "Hopeless: cannot reach" in reasons[1].sentence
    assert "it was cancelled" in reasons[2].sentence


def test_there_is_no_such_job():
    reason = why(987_654)

    assert reason.cause is Cause.NO_SUCH_JOB
    assert "987654" in reason.sentence


def test_the_moment_can_be_given():
    register_worker()
    due_at = timezone.now() + HOUR
    job_id = waiting_job(schedule_at=due_at)

    assert why_not_running(job_id, now=due_at - timedelta(seconds=1)).cause is Cause.SCHEDULED
    assert why_not_running(job_id, now=due_at).cause is Cause.NO_WORKER


def test_it_is_told_in_the_language_of_who_asks():
    with translation.override("es-mx"):
        reason = why(waiting_job())

    assert reason.sentence == "Ningún proceso en marcha atiende la cola sample. Inicie uno."
