"""A job may be due at any instant that Postgres knows, on a server of any time zone: it costs nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.postgres import Server, own_server
from tests.workers.workers import started_worker, wait_for

PAST = ("0001-01-01 00:00:00+00", "0044-03-15 BC", "4713-01-01 BC", "-infinity")
FUTURE = ("294276-12-31 23:59:59+00", "infinity")


@pytest.fixture(scope="module")
def far_west() -> Iterator[Server]:
    with own_server(timezone="America/Mexico_City") as server:
        yield server


def insert_into(server: Server, scheduled_at: str) -> None:
    server.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)"
        f" VALUES ('default', 'engine.no_op', '{{}}', {scheduled_at})"
    )


def test_jobs_due_at_strange_instants_run_if_these_are_past_and_hold_nobody_up(far_west: Server, log: Path):
    for instant in (*PAST, *FUTURE):
        insert_into(far_west, f"'{instant}'")
    insert_into(far_west, "NULL")

    with started_worker(log, database_url=far_west.url) as worker:
        wait_for(lambda: count_by_status(far_west) == {"succeeded": len(PAST) + 1, "todo": len(FUTURE)})
        assert "failed" not in worker.read_log()


def count_by_status(server: Server) -> dict[str, int]:
    return dict(server.rows("SELECT status::text, count(*) FROM procrastinate_jobs GROUP BY 1"))
