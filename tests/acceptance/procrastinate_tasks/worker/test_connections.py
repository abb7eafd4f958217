"""A worker needs four database connections, and one more for each sync job that is using the database."""

from __future__ import annotations

from pathlib import Path

from tests.workers.workers import count_jobs, insert_jobs, query, sessions_asleep, started_worker, wait_for

ITS_OWN = 4


def count_connections() -> int:
    """Sessions on this test's database, but for the test's own."""
    rows = query(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(rows[0][0])


def test_jobs_that_leave_the_database_alone_take_no_connection(log: Path):
    insert_jobs("engine.sleep", {"seconds": 60}, count=4)
    insert_jobs("engine.async_sleep", {"seconds": 60}, count=4)

    with started_worker(log, "--processes", "2", "--concurrency", "4"):
        wait_for(lambda: count_jobs("doing") == 8)
        wait_for(lambda: count_connections() <= ITS_OWN)


def test_each_sync_job_takes_one_connection_while_it_uses_the_database(log: Path):
    insert_jobs("engine.query", {"seconds": 60}, count=3)
    insert_jobs("engine.sleep", {"seconds": 60}, count=5)

    with started_worker(log, "--processes", "2", "--concurrency", "4"):
        wait_for(lambda: count_jobs("doing") == 8 and sessions_asleep() == 3)
        wait_for(lambda: count_connections() <= ITS_OWN + 3)


def test_jobs_that_have_used_the_database_leave_no_more_connections_than_slots(log: Path):
    insert_jobs("engine.query", {"seconds": 0}, count=60)

    with started_worker(log, "--processes", "2", "--concurrency", "2"):
        wait_for(lambda: count_jobs("succeeded") == 60)

        wait_for(lambda: count_connections() <= ITS_OWN + 4)
