"""A fork owns nothing of its parent's: no pool, no socket, no thread; and what jobs start ends with them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.engine.workers import (
    count_jobs,
    insert_jobs,
    outcomes_of,
    query,
    send,
    started_worker,
    status_of,
    wait_for,
)


def test_with_djangos_pool_and_a_query_at_load_each_job_reads_its_own_rows(log: Path):
    job_ids = [insert_jobs("engine.read_number", {"number": number})[0] for number in range(300)]

    with started_worker(
        log, "--processes", "2", "--concurrency", "4", settings_module="tests.engine.pool_settings"
    ):
        wait_for(lambda: count_jobs("todo") + count_jobs("doing") == 0)

    read = dict(query("SELECT job_id, result::int FROM procrastinate_tasks_jobattempt"))
    assert read == {job_id: number for number, job_id in enumerate(job_ids)}


@pytest.mark.parametrize(("begun", "named"), [("thread", "the thread 'exporter'"), ("connection", "PGSQL")])
def test_a_worker_refuses_to_start_beside_what_its_forks_would_inherit(log: Path, begun: str, named: str):
    with started_worker(
        log,
        wait_until_up=False,
        settings_module="tests.engine.begun_settings",
        environment={"BEGUN_AT_LOAD": begun},
    ) as worker:
        assert worker.wait() == 1

        assert named in worker.read_log()
        assert "on_process_start" in worker.read_log()
        assert "Traceback" not in worker.read_log()


def test_sentry_starts_no_thread_in_the_supervisor_and_hears_of_jobs_all_the_same(log: Path):
    with started_worker(log, settings_module="tests.engine.sentry_settings") as worker:
        send(worker.fork_named("queue worker"), signal.SIGKILL)
        wait_for(lambda: "starting another" in worker.read_log())
        (job_id,) = insert_jobs("engine.reports_to_sentry")
        wait_for(lambda: status_of(job_id) == "succeeded")

        assert len(list(Path(f"/proc/{worker.pid}/task").iterdir())) == 1
    assert outcomes_of(job_id) == [("succeeded", "", "true")]
