"""Races, with real commits on several connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection, connections, transaction
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs import deferring
from procrastinate_tasks.jobs.calls import Call
from procrastinate_tasks.jobs.deferring import cancel, defer, defer_many
from procrastinate_tasks.jobs.policies import LossCause
from procrastinate_tasks.jobs.rescue import RescueReport, rescue_workers, run_once
from procrastinate_tasks.models import JobAttempt, Outcome
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from tests.integration.procrastinate_tasks import sample_tasks  # noqa: F401 - registers the tasks
from tests.integration.procrastinate_tasks.ending import end_of, start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_workers CASCADE")


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait(10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_rescuers_rescue_each_job_once():
    defer_many("sample.remember", (Call({"number": n}) for n in range(60)))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing'")

    first, second = in_threads(run_once, run_once)

    assert sorted(first.run_again + second.run_again) == list(
        ProcrastinateJob.objects.order_by("id").values_list("id", flat=True)
    )
    assert JobAttempt.objects.count() == 60
    assert set(ProcrastinateJob.objects.values_list("attempts", flat=True)) == {1}


def while_its_row_is_held(job_id: int, end: str, rescue: Callable[[], RescueReport]) -> RescueReport:
    """Rescue while somebody else is about to end the job; they do as soon as the rescue waits, or is done."""
    held, rescued = Event(), Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job_id])
            held.set()
            if not rescued.wait(0.5):
                wait_until_blocked()
            cursor.execute(end, [job_id])

    def look() -> RescueReport:
        assert held.wait(10)
        report = rescue()
        rescued.set()
        return report

    report: RescueReport = in_threads(hold, look)[1]
    return report


def running_job() -> tuple[int, int]:
    """Return a job and the worker that holds it, which has been silent for ever."""
    job_id = defer("sample.remember", {"number": 1})
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES ('-infinity') RETURNING id")
        (worker_id,) = cursor.fetchone()
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", [worker_id])
    return job_id or 0, worker_id


def test_the_rescue_of_a_worker_that_ends_waits_for_rows_that_others_hold():
    job_id, worker_id = running_job()

    report = while_its_row_is_held(
        job_id,
        "SELECT %s",  # whoever held it leaves it as it was
        lambda: rescue_workers([worker_id], cause=LossCause.SHUTDOWN),
    )

    assert report == RescueReport(given_back=(job_id,))


def test_a_job_that_ended_while_its_rescue_waited_stays_ended():
    job_id, worker_id = running_job()

    report = while_its_row_is_held(
        job_id,
        "UPDATE procrastinate_jobs SET status = 'succeeded', worker_id = NULL WHERE id = %s",
        lambda: rescue_workers([worker_id], cause=LossCause.SHUTDOWN),
    )

    assert report == RescueReport()
    assert ProcrastinateJob.objects.get().status == "succeeded"


def test_the_search_for_any_orphan_passes_over_rows_that_others_hold():
    job_id, _ = running_job()

    report = while_its_row_is_held(job_id, "SELECT %s", run_once)

    assert report == RescueReport()
    assert run_once().run_again == (job_id,)


def test_of_many_who_defer_with_one_queueing_lock_one_does():
    ids = in_threads(*[lambda: defer("sample.locked")] * 8)

    assert len([job_id for job_id in ids if job_id is not None]) == 1


def test_two_who_defer_the_same_queueing_locks_in_opposite_orders_both_end():
    locks = [f"lock-{number:04}" for number in range(300)]

    def defer_in(order: list[str]) -> int:
        return defer_many("sample.remember", (Call({"number": 1}, queueing_lock=lock) for lock in order))

    for _ in range(8):
        counts = in_threads(lambda: defer_in(locks), lambda: defer_in(locks[::-1]))
        assert sum(counts) == 300
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.mark.parametrize("taken_by", ["queueing_lock", "unique_for"])
def test_two_who_defer_more_than_a_chunk_of_the_same_in_a_transaction_both_end(
    taken_by: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(deferring, "CHUNK", 10)

    def call_of(number: int) -> Call:
        if taken_by == "unique_for":
            return Call({"number": number}, unique_for=timedelta(minutes=5))
        return Call({"number": number}, queueing_lock=f"lock-{number:04}")

    def defer_in(numbers: Sequence[int]) -> int:
        with transaction.atomic():
            return defer_many("sample.remember", map(call_of, numbers))

    for _ in range(8):
        counts = in_threads(lambda: defer_in(range(300)), lambda: defer_in(range(300)[::-1]))
        assert sum(counts) == 300
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs; DELETE FROM procrastinate_tasks_uniquejob")


def test_jobs_run_in_the_order_they_were_deferred_whatever_their_queueing_locks():
    calls = [Call({"number": n}, queueing_lock=f"lock-{-n % 7}-{n}") for n in range(50)]

    defer_many("sample.remember", calls)

    jobs = ProcrastinateJob.objects.order_by("id")
    assert [job.args["number"] for job in jobs] == list(range(50))


def test_a_retry_that_meets_an_uncommitted_job_with_its_lock_ends_in_favour_of_it():
    job_id = defer("sample.locked")
    start(job_id)
    retry = end_of(job_id, Outcome.RETRYING)
    inserted, settling = Event(), Event()

    def insert_sibling() -> None:
        with transaction.atomic():
            defer("sample.locked")
            inserted.set()
            assert settling.wait(10)
            wait_until_blocked()

    async def settle_as_the_worker_does() -> None:
        link = WorkerConnection(alias="default", purpose="test")
        settlements = CompletionLoop(link, delete_jobs=DeleteJobCondition.NEVER)
        settlements.add([Waiting(retry)])
        settling.set()
        try:
            await settlements.run_once()
        finally:
            await link.close()

    def settle_after_insert() -> None:
        assert inserted.wait(10)
        asyncio.run(settle_as_the_worker_does())

    in_threads(insert_sibling, settle_after_insert)

    assert JobAttempt.objects.get().outcome == Outcome.SUPERSEDED


def wait_until_blocked() -> None:
    """Wait until another connection waits for a lock of this one."""
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees no new connection
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
            cursor.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")


def test_a_cancelled_job_can_be_deferred_again_in_the_same_transaction():
    with transaction.atomic():
        defer("sample.locked")
        assert cancel(queueing_lock="sample-lock")
        assert defer("sample.locked") is not None

    assert ProcrastinateJob.objects.filter(status="todo").count() == 1
