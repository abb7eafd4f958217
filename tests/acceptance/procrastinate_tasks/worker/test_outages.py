"""The database comes late, restarts, drops sessions: no worker ends, no job is lost, none stays "doing"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.utils import timezone

from tests.workers.postgres import Server, own_server
from tests.workers.workers import count_jobs, insert_jobs, query, started_count, started_worker, wait_for


@pytest.fixture(scope="module")
def migrated_server() -> Iterator[Server]:
    with own_server() as server:
        yield server


@pytest.fixture
def server(migrated_server: Server) -> Server:
    migrated_server.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    return migrated_server


def insert_into(server: Server, task: str, args: str = "{}", *, count: int = 1) -> None:
    server.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        f" SELECT 'default', '{task}', '{args}' FROM generate_series(1, {count})"
    )


def statuses(server: Server) -> dict[object, object]:
    return dict(server.rows("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"))


def test_a_worker_started_before_the_database_waits_for_it(server: Server, log: Path):
    insert_into(server, "engine.no_op", count=3)
    server.stop()

    with started_worker(log, database_url=server.url) as worker:
        wait_for(lambda: "Trying again" in worker.read_log())
        server.start()

        wait_for(lambda: statuses(server) == {"succeeded": 3}, within=15)
        assert worker.stop() == 0


def test_jobs_that_run_while_the_database_restarts_are_recorded_once(server: Server, log: Path):
    insert_into(server, "engine.sleep", '{"seconds": 2}', count=4)

    with started_worker(log, "--concurrency", "4", database_url=server.url) as worker:
        # "doing" is not enough: a claim whose answer is lost with its server is made again.
        wait_for(lambda: worker.read_log().count("event=job_started") == 4)
        server.crash()
        server.start()
        insert_into(server, "engine.no_op", count=2)

        wait_for(lambda: statuses(server) == {"succeeded": 6}, within=20)
        assert worker.process.poll() is None

    starts = server.rows("SELECT count(*) FROM procrastinate_events WHERE type = 'started'")
    assert starts == [(6,)]


def test_a_worker_can_be_stopped_while_the_database_is_away(server: Server, log: Path):
    with started_worker(log, database_url=server.url) as worker:
        wait_for(lambda: server.rows("SELECT 1 FROM procrastinate_workers"))
        server.stop()
        try:
            assert worker.stop(within=15) == 0
        finally:
            server.start()


def has_finished(count: int) -> bool:
    return count_jobs("succeeded") >= count


def test_terminated_sessions_cost_no_job(log: Path):
    with started_worker(log, "--processes", "2", "--concurrency", "5") as worker:
        insert_jobs("engine.sleep", {"seconds": 0.02}, count=600)
        for done in range(50, 551, 50):
            wait_for(partial(has_finished, done))
            query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'worker %%'"
            )

        wait_for(lambda: count_jobs("succeeded") == 600, within=30)
        assert worker.process.poll() is None

    finished = query("SELECT count(*) FROM procrastinate_events WHERE type = 'succeeded'")
    assert finished == [(600,)]


# As a role or a database may have them set for its project's sessions.
STRANGE_SESSIONS = (
    "-c DateStyle=SQL,DMY -c IntervalStyle=sql_standard -c bytea_output=escape"
    " -c standard_conforming_strings=off"
    " -c default_transaction_isolation=serializable -c lock_timeout=10ms -c idle_session_timeout=1s"
)


def test_what_a_database_sets_for_its_sessions_fails_no_claim_and_no_end(log: Path):
    soon = timezone.now() + timedelta(seconds=4)
    jobs = [*insert_jobs("engine.no_op", count=200), *insert_jobs("engine.no_op", scheduled_at=soon)]

    with started_worker(log, "--processes", "2", environment={"PGOPTIONS": STRANGE_SESSIONS}) as worker:
        wait_for(lambda: count_jobs("succeeded") == len(jobs))
        said = worker.read_log()

    assert [started_count(job_id) for job_id in jobs] == [1] * len(jobs)
    for fault in ("Claiming jobs failed", "Recording finished jobs failed", "can't parse"):
        assert fault not in said
