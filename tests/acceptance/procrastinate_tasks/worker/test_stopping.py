"""Stopping a worker: jobs finish in time or run again at no cost, and repeated signals change nothing."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from tests.workers.workers import (
    attempts_of,
    count_jobs,
    insert_jobs,
    is_running,
    outcomes_of,
    query,
    send,
    sessions_asleep,
    started_worker,
    status_of,
    wait_for,
)


def test_running_jobs_finish_before_the_worker_exits(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 1})
    (waiting,) = insert_jobs("engine.sleep", {"seconds": 1})

    with started_worker(log, "--concurrency", "1") as worker:
        wait_for(lambda: status_of(job_id) == "doing")

        assert worker.stop() == 0

    assert status_of(job_id) == "succeeded"
    assert status_of(waiting) == "todo"
    assert query("SELECT id FROM procrastinate_workers") == []


def test_signals_repeated_while_it_stops_change_nothing(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 1.5})

    with started_worker(log) as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            send(worker.pids(), number)

        assert worker.wait(within=10) == 0

    assert status_of(job_id) == "succeeded"
    assert attempts_of(job_id) == 1


def test_jobs_that_outlast_the_grace_are_given_back_and_cost_no_attempt(log: Path):
    job_ids = [
        *insert_jobs("engine.sleep", {"seconds": 60}),
        *insert_jobs("engine.async_sleep", {"seconds": 60}),
        *insert_jobs("engine.spin"),
    ]

    with started_worker(log, "--graceful-timeout", "1") as worker:
        wait_for(lambda: count_jobs("doing") == 3)

        assert worker.stop(within=4) == 0

    assert [(status_of(job_id), attempts_of(job_id)) for job_id in job_ids] == [("todo", 0)] * 3
    assert outcomes_of(job_ids[1])[0][0] == "interrupted"


def test_what_a_worker_holds_and_does_not_run_is_given_back_as_it_parts(log: Path):
    (stray,) = insert_jobs("engine.no_op", queue="elsewhere")
    (twinned,) = insert_jobs("engine.no_op", queue="elsewhere", queueing_lock="one")

    with started_worker(log, "--queues", "default") as worker:
        wait_for(lambda: query("SELECT worker_id FROM procrastinate_tasks_liveworker WHERE running = 0"))
        hand_to_the_only_worker(stray, twinned)
        insert_jobs("engine.no_op", queue="elsewhere", queueing_lock="one")

        assert worker.stop() == 0

    assert [status_of(job_id) for job_id in (stray, twinned)] == ["todo", "failed"]
    assert [outcomes_of(job_id)[0][0] for job_id in (stray, twinned)] == ["interrupted", "superseded"]
    assert query("SELECT DISTINCT host FROM procrastinate_tasks_jobattempt") == [(socket.gethostname(),)]
    assert query("SELECT count(*) FROM procrastinate_workers") == [(0,)]
    assert "could not" not in worker.read_log()


def hand_to_the_only_worker(*job_ids: int) -> None:
    """As a claim does whose answer never comes."""
    query(
        "UPDATE procrastinate_jobs SET status = 'doing',"
        " worker_id = (SELECT worker_id FROM procrastinate_tasks_liveworker)"
        f" WHERE id IN ({', '.join(map(str, job_ids))}) RETURNING id"
    )


def test_a_draining_worker_keeps_its_heartbeat(log: Path):
    (job_id,) = insert_jobs("engine.sleep", {"seconds": 4})

    with started_worker(log) as worker:
        wait_for(lambda: status_of(job_id) == "doing")
        worker.process.send_signal(signal.SIGTERM)
        before = query("SELECT last_heartbeat FROM procrastinate_workers")

        wait_for(lambda: query("SELECT last_heartbeat FROM procrastinate_workers") > before, within=3)


def test_no_process_outlives_a_killed_supervisor(log: Path):
    insert_jobs("engine.spin")
    insert_jobs("engine.sleep", {"seconds": 60})

    with started_worker(log, "--processes", "2") as worker:
        wait_for(lambda: count_jobs("doing") == 2)
        pids = worker.forks()
        assert len(pids) == 3

        worker.process.kill()

        wait_for(lambda: not any(is_running(pid) for pid in pids), within=5)


def test_no_query_outlives_a_killed_supervisor(log: Path):
    insert_jobs("engine.query", {"seconds": 120})
    insert_jobs("engine.async_query", {"seconds": 120})

    with started_worker(log) as worker:
        wait_for(lambda: sessions_asleep() == 2)

        worker.process.kill()

        wait_for(lambda: sessions_asleep() == 0, within=5)
