"""``manage.py seed_jobs`` fills the queue's tables with what a real queue could have left there."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob, ProcrastinateWorker

from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.models import JobAttempt, LiveWorker, QueueRule, ScheduleState
from procrastinate_tasks.queries.queues import read_status
from procrastinate_tasks.seeding import samples, seeding
from procrastinate_tasks.seeding.samples import Fault, Samples, offer_samples

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_development(settings) -> None:
    settings.DEBUG = True


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed_jobs", *arguments, stdout=out)
    return out.getvalue()


def value(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_jobs_of_every_state_are_made_in_the_number_that_was_asked_for():
    seed("--count", "3000")

    jobs = ProcrastinateJob.objects
    assert jobs.count() == 3000
    assert set(jobs.values_list("status", flat=True)) == {
        "todo",
        "doing",
        "succeeded",
        "failed",
        "cancelled",
        "aborted",
    }
    assert sum(queue.ready for queue in read_status().queues) > 0
    assert sum(queue.scheduled for queue in read_status().queues) > 0
    assert sum(queue.running for queue in read_status().queues) > 0
    assert sum(queue.orphaned for queue in read_status().queues) > 0


def test_some_jobs_wait_for_the_lock_of_a_running_one():
    seed("--count", "3000")

    blocked = ProcrastinateJob.objects.filter(
        status="todo", lock__in=ProcrastinateJob.objects.filter(status="doing").values("lock")
    )
    assert blocked.count() == 12


def test_the_events_of_a_job_are_in_order_and_end_with_its_state():
    seed("--count", "2000")

    out_of_order = value(
        """
        SELECT count(*) FROM (
            SELECT at < lag(at) OVER (PARTITION BY job_id ORDER BY id) AS is_early, type
            FROM procrastinate_events
        ) AS event WHERE is_early AND type <> 'scheduled'
        """
    )
    assert out_of_order == 0
    last = value(
        """
        SELECT count(*) FROM procrastinate_jobs AS job
        WHERE job.status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND job.status::text <> (
            SELECT type::text FROM procrastinate_events WHERE job_id = job.id ORDER BY id DESC LIMIT 1
        )
        """
    )
    assert last == 0
    assert value("SELECT count(*) FROM procrastinate_events WHERE at > now() AND type <> 'scheduled'") == 0


def test_each_job_is_deferred_once_although_procrastinates_triggers_write_events_too():
    seed("--count", "2000")

    deferred = ProcrastinateEvent.objects.filter(type="deferred")
    assert deferred.count() == deferred.values("job").distinct().count() == 2000


def test_failed_attempts_have_an_error_with_a_fingerprint_of_its_task():
    seed("--count", "3000")

    failed = JobAttempt.objects.filter(outcome="failed")
    assert failed.count() > 10
    assert not failed.filter(fingerprint="").exists()
    assert not failed.filter(traceback="").exists()
    pairs = failed.values_list("fingerprint", "task_name").distinct().count()
    assert pairs == failed.values("fingerprint").distinct().count()


def test_the_jobs_share_as_many_locks_as_asked_for():
    seed("--count", "4000", "--locks", "500")

    assert value("SELECT count(DISTINCT lock) FROM procrastinate_jobs WHERE lock ~ '^seeded:[0-9]'") == 500


def test_the_same_seed_makes_the_same_jobs():
    seed("--count", "500", "--seed", "7")
    first = list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "status", "args"))
    seed("--clear")
    seed("--count", "500", "--seed", "7")

    assert list(ProcrastinateJob.objects.order_by("id").values_list("task_name", "status", "args")) == first


def test_clearing_removes_what_was_seeded_and_nothing_else(monkeypatch):
    monkeypatch.setattr(seeding, "STRETCH", 200)
    defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 day')")
    seed("--count", "500")
    defer("sample.remember", {"number": 1})
    assert LiveWorker.objects.exists()
    assert QueueRule.objects.exists()

    seed("--clear")

    assert ProcrastinateJob.objects.count() == 2
    assert ProcrastinateEvent.objects.count() == 2
    assert ProcrastinateWorker.objects.count() == 1
    assert not JobAttempt.objects.exists()
    assert not LiveWorker.objects.exists()
    assert not QueueRule.objects.exists()
    assert not ScheduleState.objects.exists()
    assert not seeding.has_seeded()


def test_what_an_interrupted_seeding_made_is_removed_too(monkeypatch):
    monkeypatch.setattr(seeding, "STRETCH", 100)
    progress = seeding.seed(seeding.Seeding(count=500, seed=1))
    next(progress)
    del progress
    assert ProcrastinateJob.objects.count() == 100

    seed("--clear")

    assert not ProcrastinateJob.objects.exists()


def test_a_rule_that_staff_made_stays_as_it_is():
    for queue in ("sample", "mail", "default", "emails", "payments", "bookings"):
        QueueRule.objects.create(queue_name=queue, concurrency_limit=3, limits_by_hand=True)

    seed("--count", "200")
    seed("--clear")

    assert set(QueueRule.objects.values_list("concurrency_limit", "paused_at")) == {(3, None)}
    assert QueueRule.objects.count() == 6


def test_a_project_says_what_its_jobs_look_like(monkeypatch):
    monkeypatch.setattr(samples, "_samples_by_task", {})
    offer_samples(
        "sample.remember",
        Samples(
            arguments=lambda: [{"number": 7}],
            faults=(Fault(exception_class="shop.SoldOut", message="none left"),),
            weight=20,
        ),
    )

    seed("--count", "3000")

    offered = ProcrastinateJob.objects.filter(task_name="sample.remember")
    assert set(offered.values_list("args__number", flat=True)) == {7}
    other = ProcrastinateJob.objects.filter(task_name="sample.locked")
    assert 10 * other.count() < offered.count()
    classes = JobAttempt.objects.filter(task_name="sample.remember", outcome="failed").values_list(
        "exception_class", flat=True
    )
    assert set(classes) == {"shop.SoldOut"}


def test_it_refuses_where_debug_is_off_and_says_why(settings):
    settings.DEBUG = False

    with pytest.raises(CommandError, match="DEBUG is off, so this looks like production"):
        seed("--count", "10")
    with pytest.raises(CommandError, match="DEBUG is off"):
        seed("--clear")
    assert not ProcrastinateJob.objects.exists()

    seed("--count", "10", "--force")

    assert ProcrastinateJob.objects.count() == 10


def test_it_refuses_while_a_worker_would_run_what_it_makes():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")

    with pytest.raises(CommandError, match="A worker is running"):
        seed("--count", "10")


def test_it_does_not_seed_twice():
    seed("--count", "10")

    with pytest.raises(CommandError, match="--clear"):
        seed("--count", "10")


def test_clearing_nothing_is_no_error():
    assert "Nothing was seeded" in seed("--clear")


def test_a_beat_keeps_the_living_workers_alive_and_lets_the_lost_one_be():
    seed("--count", "10")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'")

    beaten = seeding.beat()

    assert beaten == 2
    assert sorted(worker.is_alive for worker in read_status().workers) == [False, True, True]
