"""A worker whose job processes cannot connect to the database loses no job, and charges none an attempt."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from reyes_estancias.postgres import cluster as clusters
from tests.workers.postgres import DATABASE, Server, own_server
from tests.workers.workers import StartedWorker, started_worker, wait_for

REFUSED = "Job processes cannot connect to the database"


@pytest.fixture(scope="module")
def _server() -> Iterator[Server]:
    with own_server() as server:
        server.rows("CREATE ROLE app LOGIN")
        server.rows("GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
        server.rows("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app")
        server.rows("GRANT pg_signal_backend TO app")
        rules = server.cluster.data / "pg_hba.conf"
        rules.write_text(f"local all app scram-sha-256\n{rules.read_text('ascii')}", "ascii")
        server.rows("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
def server(_server: Server) -> Server:
    _server.rows("ALTER ROLE app PASSWORD 'one' CONNECTION LIMIT -1")
    _server.rows("TRUNCATE procrastinate_jobs, procrastinate_tasks_jobattempt CASCADE")
    return _server


def address_of(server: Server) -> str:
    return f"postgres://app:one@{quote(str(server.cluster.socket_dir), safe='')}:{clusters.PORT}/{DATABASE}"


def insert(server: Server, count: int, task: str = "engine.read_number", **args: object) -> None:
    server.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT 'default', %s, %s::jsonb FROM generate_series(1, %s) RETURNING id",
        task,
        json.dumps(args),
        count,
    )


def count(server: Server, status: str) -> int:
    (row,) = server.rows("SELECT count(*) FROM procrastinate_jobs WHERE status::text = %s", status)
    return int(row[0])


def assert_nobody_paid(server: Server, *, succeeded: int) -> None:
    rows = server.rows("SELECT status::text, attempts, count(*) FROM procrastinate_jobs GROUP BY 1, 2")
    assert rows == [("succeeded", 1, succeeded)]


@pytest.mark.parametrize(
    ("concurrency", "task"), [("1", "engine.read_number"), ("4", "engine.async_read_number")]
)
def test_a_changed_password_fails_no_job(log: Path, server: Server, concurrency: str, task: str):
    options = ["--max-jobs", "30", "--concurrency", concurrency]
    with started_worker(log, *options, database_url=address_of(server)) as worker:
        insert(server, 60, task, number=1)
        wait_for(lambda: count(server, "succeeded") > 30)

        server.rows("ALTER ROLE app PASSWORD 'two'")
        insert(server, 60, task, number=1)
        wait_for(lambda: REFUSED in worker.read_log() and count(server, "doing") == 0)
        assert count(server, "failed") == 0
        assert count(server, "todo") > 0

        server.rows("ALTER ROLE app PASSWORD 'one'")
        wait_for(lambda: count(server, "succeeded") == 120)
        wait_for(lambda: "can connect to the database again" in worker.read_log())
        assert worker.read_log().count(REFUSED) == 1
    assert_nobody_paid(server, succeeded=120)


def take_all_connections(server: Server, worker: StartedWorker, taken: ExitStack) -> psycopg.Connection:
    """Leaves none of the role's sessions to anybody, and returns the one taken last.

    A worker that has just started ends a session here and there: what comes free in a second is taken too.
    """
    server.rows("ALTER ROLE app CONNECTION LIMIT 12")
    last, refusals = None, 0
    while refusals < 50:
        try:
            last, refusals = taken.enter_context(psycopg.connect(address_of(server))), 0
        except psycopg.OperationalError as refusal:
            assert "too many connections" in str(refusal)
            refusals += 1
            time.sleep(0.02)
    assert last is not None
    return last


def said_refusal(server: Server) -> str:
    """What the latest worker tells health and alerts with its beats."""
    ((refusal,),) = server.rows(
        "SELECT refusal FROM procrastinate_tasks_liveworker ORDER BY worker_id DESC LIMIT 1"
    )
    return str(refusal)


def test_used_up_connections_fail_no_job_and_one_that_comes_free_is_enough(log: Path, server: Server):
    with (
        started_worker(log, "--concurrency", "4", database_url=address_of(server)) as worker,
        ExitStack() as taken,
    ):
        insert(server, 1, "engine.no_op")
        wait_for(lambda: count(server, "succeeded") == 1)
        last = take_all_connections(server, worker, taken)

        insert(server, 100, number=1)
        wait_for(lambda: REFUSED in worker.read_log() and count(server, "doing") == 0)
        assert (count(server, "failed"), count(server, "todo")) == (0, 100)
        wait_for(lambda: "too many connections" in said_refusal(server))

        last.close()
        wait_for(lambda: count(server, "succeeded") == 101)
        taken.close()  # as long as there are fewer connections than slots, some slots wait
        wait_for(lambda: said_refusal(server) == "")
    assert_nobody_paid(server, succeeded=101)


def test_what_a_task_connects_to_itself_is_its_own_matter(log: Path, server: Server):
    with started_worker(log, database_url=address_of(server)) as worker:
        insert(server, 1, "engine.connect_elsewhere")

        wait_for(lambda: count(server, "failed") == 1)

        assert REFUSED not in worker.read_log()


def test_a_job_that_is_refused_whatever_happens_fails_in_the_end(log: Path, server: Server):
    with started_worker(log, database_url=address_of(server)):
        insert(server, 1, "engine.never_connected")
        insert(server, 1, "engine.read_number", number=1)

        wait_for(lambda: count(server, "failed") == 1, within=60)

        assert count(server, "succeeded") == 1
