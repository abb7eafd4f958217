"""Pauses, rates and concurrency limits hold over four worker processes, and cost the other queues nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from procrastinate_tasks.conf import Rate
from procrastinate_tasks.queues import control, pauses
from tests.workers.workers import granted, insert_jobs, query, started_worker, status_of, wait_for

WORKERS = 4
RATE = 20
SECOND = timedelta(seconds=1)
# Two minutes' worth: the other queue's jobs are done before on any machine, or they are held back.
SLOW_JOBS = 120 * RATE
# Polling alone would be noticed: whatever happens sooner than this was announced or foreseen.
NO_POLLING = ("--fetch-job-polling-interval", "60")


@contextmanager
def four_workers(tmp_path: Path, *options: str) -> Iterator[None]:
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                started_worker(tmp_path / f"worker-{number}.log", *NO_POLLING, *options, wait_until_up=False)
            )
            for number in range(WORKERS)
        ]
        wait_for(lambda: all(worker.fork_named("queue child") for worker in workers), within=60)
        yield


def make_known(*queues: str) -> None:
    """Let a job of next year wait in each queue: a queue that nobody names cannot be limited."""
    for queue in queues:
        insert_jobs("engine.no_op", queue=queue, scheduled_at=datetime.now(UTC) + timedelta(days=365))


def claims_of(queue: str) -> list[datetime]:
    """When the jobs of a queue were claimed, by the database's clock."""
    rows = query(
        """
        SELECT event.at
        FROM procrastinate_events AS event
        JOIN procrastinate_jobs AS job ON job.id = event.job_id
        WHERE job.queue_name = %s AND event.type = 'started'
        ORDER BY event.at
        """,
        queue,
    )
    return [at for (at,) in rows]


def runs_of(queue: str) -> list[tuple[datetime, datetime]]:
    """From when to when the jobs of a queue ran, by the workers' clock."""
    return [
        (started, finished)
        for started, finished in query(
            "SELECT started_at, finished_at FROM procrastinate_tasks_jobattempt WHERE queue_name = %s", queue
        )
    ]


def most_within(moments: list[datetime], period: timedelta) -> int:
    return max(sum(first <= moment < first + period for moment in moments) for first in moments)


def most_at_a_time(intervals: list[tuple[datetime, datetime]]) -> int:
    return max(sum(start <= moment < end for start, end in intervals) for moment, _ in intervals)


def count_in(queue: str, status: str) -> int:
    rows = query(
        "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = %s AND status::text = %s", queue, status
    )
    return int(rows[0][0])


def test_limits_hold_over_four_workers_are_used_up_and_hold_no_other_queue_back(tmp_path: Path):
    make_known("slow", "narrow")
    control.limit_queue(queue="slow", rate=Rate(RATE))
    control.limit_queue(queue="narrow", concurrency=3)
    with four_workers(tmp_path):
        insert_jobs("engine.async_no_op", queue="slow", count=SLOW_JOBS)
        insert_jobs("engine.async_sleep", {"seconds": 0.1}, queue="narrow", count=60)
        insert_jobs("engine.async_no_op", queue="free", count=400)
        wait_for(lambda: count_in("free", "succeeded") == 400)
        slow_meanwhile = count_in("slow", "succeeded")
        wait_for(lambda: count_in("slow", "succeeded") >= 3 * RATE)
        wait_for(lambda: count_in("narrow", "succeeded") == 60)

    starts = claims_of("slow")
    assert most_within(starts, SECOND) == RATE
    assert starts[3 * RATE - 1] - starts[0] < granted(3.5) * SECOND
    assert slow_meanwhile < SLOW_JOBS
    narrow = runs_of("narrow")
    assert most_at_a_time(narrow) == 3
    assert max(end for _, end in narrow) - min(start for start, _ in narrow) < granted(10) * SECOND


def test_a_pause_lets_running_jobs_finish_and_survives_a_restart(tmp_path: Path):
    (running,) = insert_jobs("engine.async_sleep", {"seconds": 1}, queue="payments")
    with started_worker(tmp_path / "first.log", *NO_POLLING):
        wait_for(lambda: status_of(running) == "doing")
        pauses.pause_queue(queue="payments", by="Ana", reason="the bank is down")
        (waiting,) = insert_jobs("engine.async_no_op", queue="payments")
        (other,) = insert_jobs("engine.async_no_op", queue="other")
        wait_for(lambda: (status_of(running), status_of(other)) == ("succeeded", "succeeded"))
        assert status_of(waiting) == "todo"

    with started_worker(tmp_path / "second.log", *NO_POLLING):
        (other,) = insert_jobs("engine.async_no_op", queue="other")
        wait_for(lambda: status_of(other) == "succeeded")
        assert status_of(waiting) == "todo"

        pauses.resume_queue(queue="payments")
        wait_for(lambda: status_of(waiting) == "succeeded", within=1)


def test_a_pause_of_a_task_holds_no_other_up_and_ends_by_itself_at_its_time(tmp_path: Path):
    with started_worker(tmp_path / "worker.log", *NO_POLLING):
        until = datetime.now(UTC) + 3 * SECOND
        query(
            "INSERT INTO procrastinate_tasks_taskpause (task_name, paused_by, pause_reason, paused_until)"
            " VALUES ('engine.async_no_op', 'Ana', '', %s) RETURNING task_name",
            until.isoformat(),
        )
        (paused,) = insert_jobs("engine.async_no_op", queue="payments")
        (other,) = insert_jobs("engine.no_op", queue="payments")
        wait_for(lambda: status_of(other) == "succeeded")
        assert status_of(paused) == "todo"

        wait_for(lambda: status_of(paused) == "succeeded")

    ((started,),) = query(
        "SELECT at FROM procrastinate_events WHERE job_id = %s AND type = 'started'", paused
    )
    assert until <= started < until + granted(3) * SECOND


def test_a_one_shot_worker_does_not_leave_before_what_a_rate_holds_back(tmp_path: Path):
    insert_jobs("engine.async_no_op", queue="slow", count=5)
    control.limit_queue(queue="slow", rate=Rate(2, per=SECOND / 2))

    with started_worker(tmp_path / "worker.log", *NO_POLLING, "--one-shot", wait_until_up=False) as worker:
        assert worker.wait(within=15) == 0

    assert count_in("slow", "succeeded") == 5


def test_without_notifications_a_worker_still_sees_the_room_that_its_own_jobs_make(tmp_path: Path):
    insert_jobs("engine.async_no_op", queue="narrow", count=20)
    control.limit_queue(queue="narrow", concurrency=1)

    with started_worker(tmp_path / "worker.log", *NO_POLLING, "--no-listen-notify"):
        wait_for(lambda: count_in("narrow", "succeeded") == 20)

    assert most_at_a_time(runs_of("narrow")) == 1
