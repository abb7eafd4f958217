"""A worker started as an operator starts it runs jobs, several at a time, and records what they came to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from procrastinate.contrib.django.models import ProcrastinateEvent

from tests.workers.workers import (
    attempts_of,
    count_jobs,
    granted,
    insert_jobs,
    outcomes_of,
    query,
    sessions_asleep,
    started_worker,
    status_of,
    wait_for,
)


def longest_wait(job_ids: list[int]) -> timedelta:
    """From the first start to the last end of these jobs."""
    events = ProcrastinateEvent.objects.filter(job_id__in=job_ids)
    first = events.filter(type="started").earliest("at").at
    last = events.filter(type="succeeded").latest("at").at
    assert first is not None and last is not None
    duration: timedelta = last - first
    return duration


def test_sync_and_async_jobs_run_and_their_results_are_stored(log: Path):
    (added,) = insert_jobs("engine.add", {"left": 2, "right": 3})
    (slept,) = insert_jobs("engine.async_sleep", {"seconds": 0})

    with started_worker(log):
        wait_for(lambda: count_jobs("succeeded") == 2)

    assert outcomes_of(added) == [("succeeded", "", "5")]
    assert outcomes_of(slept) == [("succeeded", "", '"slept 0"')]
    assert attempts_of(added) == 1


def test_a_failed_job_keeps_its_traceback(log: Path):
    (job_id,) = insert_jobs("engine.fail", {"message": "no such card"})

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "failed")

    assert outcomes_of(job_id) == [("failed", "builtins.ValueError", None)]
    (traceback,) = query("SELECT traceback FROM procrastinate_tasks_jobattempt WHERE job_id = %s", job_id)
    assert "in fail" in traceback[0]


def test_sync_jobs_that_wait_run_as_many_at_a_time_as_the_concurrency_says(log: Path):
    job_ids = insert_jobs("engine.sleep", {"seconds": 0.3}, count=40)

    with started_worker(log, "--processes", "1", "--concurrency", "20"):
        wait_for(lambda: count_jobs("succeeded") == 40)

    assert timedelta(seconds=0.6) <= longest_wait(job_ids) < timedelta(seconds=granted(1.5))


def test_async_orm_jobs_do_not_queue_up_behind_one_connection(log: Path):
    insert_jobs("engine.async_query", {"seconds": 60}, count=4)

    with started_worker(log, "--concurrency", "4"):
        wait_for(lambda: sessions_asleep() == 4)


def test_no_more_jobs_are_claimed_than_there_are_slots(log: Path):
    insert_jobs("engine.sleep", {"seconds": 30}, count=10)

    with started_worker(log, "--processes", "2", "--concurrency", "2"):
        wait_for(lambda: count_jobs("doing") == 4)
        (job_id,) = insert_jobs("engine.no_op", priority=100)

        assert count_jobs("doing") == 4
        assert status_of(job_id) == "todo"


def test_only_the_named_queues_are_served(log: Path):
    (other,) = insert_jobs("engine.no_op", queue="mail", priority=5)
    (own,) = insert_jobs("engine.no_op", queue="payments")

    with started_worker(log, "--queues", "payments,bookings"):
        wait_for(lambda: status_of(own) == "succeeded")

    assert status_of(other) == "todo"


def test_jobs_run_in_the_order_of_priority_then_age(log: Path):
    first, second = insert_jobs("engine.no_op", count=2)
    (urgent,) = insert_jobs("engine.no_op", priority=9)
    (overdue,) = insert_jobs("engine.no_op", priority=5, scheduled_at=datetime.now(UTC) - timedelta(hours=1))

    with started_worker(log, "--concurrency", "1"):
        wait_for(lambda: count_jobs("succeeded") == 4)

    started = query("SELECT job_id FROM procrastinate_events WHERE type = 'started' ORDER BY id")
    assert [row[0] for row in started] == [urgent, overdue, first, second]


def test_jobs_with_one_lock_run_one_after_another_in_order(log: Path):
    job_ids = insert_jobs("engine.sleep", {"seconds": 0.05}, count=8, lock="booking-1")

    with started_worker(log, "--processes", "2", "--concurrency", "4"):
        wait_for(lambda: count_jobs("succeeded") == 8)

    events = query("SELECT type::text, job_id FROM procrastinate_events WHERE type <> 'deferred' ORDER BY id")
    assert events == [(kind, job_id) for job_id in job_ids for kind in ("started", "succeeded")]


def test_a_job_scheduled_for_later_does_not_hold_back_ready_jobs_with_its_lock(log: Path):
    insert_jobs("engine.no_op", lock="booking-1", scheduled_at=datetime.now(UTC) + timedelta(days=7))
    (ready,) = insert_jobs("engine.no_op", lock="booking-1")

    with started_worker(log):
        wait_for(lambda: status_of(ready) == "succeeded")


def test_a_scheduled_job_starts_on_time_and_not_at_the_next_poll(log: Path):
    with started_worker(log, "--fetch-job-polling-interval", "60"):
        due_at = datetime.now(UTC) + timedelta(seconds=1)
        (job_id,) = insert_jobs("engine.no_op", scheduled_at=due_at)
        wait_for(lambda: status_of(job_id) == "succeeded")

    started = ProcrastinateEvent.objects.get(job_id=job_id, type="started").at
    assert timedelta(0) <= started - due_at < timedelta(seconds=granted(0.3))


def test_a_retry_starts_on_time_and_not_at_the_next_poll(log: Path):
    with started_worker(log, "--fetch-job-polling-interval", "60"):
        (job_id,) = insert_jobs("engine.fail_once")
        wait_for(lambda: status_of(job_id) == "succeeded")

    first, second = ProcrastinateEvent.objects.filter(job_id=job_id, type="started").order_by("at")
    assert timedelta(seconds=0.5) <= second.at - first.at < timedelta(seconds=granted(0.9))
    assert [outcome for outcome, *_ in outcomes_of(job_id)] == ["retrying", "succeeded"]


def test_without_notifications_jobs_are_found_by_polling(log: Path):
    with started_worker(log, "--no-listen-notify", "--fetch-job-polling-interval", "0.3"):
        (job_id,) = insert_jobs("engine.no_op")

        wait_for(lambda: status_of(job_id) == "succeeded")


def test_a_one_shot_worker_drains_the_queue_and_exits(log: Path):
    insert_jobs("engine.no_op", count=20)
    insert_jobs("engine.no_op", scheduled_at=datetime.now(UTC) + timedelta(days=1))

    with started_worker(log, "--one-shot", wait_until_up=False) as worker:
        assert worker.wait(within=20) == 0

    assert (count_jobs("succeeded"), count_jobs("todo")) == (20, 1)
