"""A fork owns nothing of its parent's: no pool, no socket, no thread; and what jobs start ends with them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.workers.workers import (
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


def test_with_djangos_pool_and_a_query_at_load_each_job_reads_its_own_rows(log: Path):
    job_ids = [insert_jobs("engine.read_number", {"number": number})[0] for number in range(300)]

    with started_worker(
        log, "--processes", "2", "--concurrency", "4", settings_module="tests.workers.pool_settings"
    ):
        wait_for(lambda: count_jobs("todo", "doing") == 0)

    read = dict(query("SELECT job_id, result::int FROM procrastinate_tasks_jobattempt"))
    assert read == {job_id: number for number, job_id in enumerate(job_ids)}


@pytest.mark.parametrize(("begun", "named"), [("thread", "the thread 'exporter'"), ("connection", "PGSQL")])
def test_a_worker_refuses_to_start_beside_what_its_forks_would_inherit(log: Path, begun: str, named: str):
    with started_worker(
        log,
        wait_until_up=False,
        settings_module="tests.workers.begun_settings",
        environment={"BEGUN_AT_LOAD": begun},
    ) as worker:
        assert worker.wait() == 1

        assert named in worker.read_log()
        assert "on_process_start" in worker.read_log()
        assert "Traceback" not in worker.read_log()


def test_sentry_starts_no_thread_in_the_supervisor_and_hears_of_jobs_all_the_same(log: Path):
    with started_worker(log, settings_module="tests.workers.sentry_settings") as worker:
        send(worker.fork_named("queue worker"), signal.SIGKILL)
        wait_for(lambda: "starting another" in worker.read_log())
        (job_id,) = insert_jobs("engine.reports_to_sentry")
        wait_for(lambda: status_of(job_id) == "succeeded")

        assert len(list(Path(f"/proc/{worker.pid}/task").iterdir())) == 1
    assert outcomes_of(job_id) == [("succeeded", "", "true")]


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_what_a_job_starts_can_be_ended_by_sigterm(log: Path, concurrency: str):
    (program,) = insert_jobs("engine.end_program")
    (copy,) = insert_jobs("engine.end_copy")

    with started_worker(log, "--concurrency", concurrency):
        wait_for(lambda: count_jobs("todo", "doing") == 0)

    assert outcomes_of(program) == [("succeeded", "", str(-signal.SIGTERM))]
    assert outcomes_of(copy) == [("succeeded", "", str(-signal.SIGTERM))]


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_signals_to_a_child_itself_change_nothing(log: Path, concurrency: str):
    (asleep,) = insert_jobs("engine.sleep", {"seconds": 2})
    with started_worker(log, "--concurrency", concurrency) as worker:
        wait_for(lambda: status_of(asleep) == "doing")
        send(worker.fork_named("queue"), signal.SIGTERM)
        wait_for(lambda: status_of(asleep) == "succeeded")
        (asking,) = insert_jobs("engine.query", {"seconds": 2})
        wait_for(lambda: sessions_asleep() == 1)
        send(worker.fork_named("queue"), signal.SIGTERM)

        wait_for(lambda: status_of(asking) == "succeeded")


def start_things(tmp_path: Path) -> list[int]:
    """Has a job start three processes, and returns their pids."""
    pids = tmp_path / "pids"
    insert_jobs("engine.start_things", {"path": str(pids)})
    pids.touch()
    return [int(pid) for pid in wait_for(lambda: pids.read_text("ascii").split())]


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_what_a_job_started_ends_at_its_hard_limit(log: Path, tmp_path: Path, concurrency: str):
    options = ["--concurrency", concurrency, "--soft-time-limit", "0", "--time-limit", "3"]
    with started_worker(log, *options):
        started = start_things(tmp_path)

        wait_for(lambda: count_jobs("failed") == 1)
        wait_for(lambda: not any(is_running(pid) for pid in started))


def test_what_a_job_started_ends_with_its_worker(log: Path, tmp_path: Path):
    with started_worker(log, "--graceful-timeout", "1") as worker:
        started = start_things(tmp_path)

        worker.stop()

        wait_for(lambda: not any(is_running(pid) for pid in started))


def test_what_a_job_started_ends_when_the_supervisor_is_killed(log: Path, tmp_path: Path):
    with started_worker(log) as worker:
        program, _in_a_session_of_its_own, copy = start_things(tmp_path)
        forks = worker.forks()

        worker.process.kill()

        wait_for(lambda: not any(is_running(pid) for pid in [program, copy, *forks]))
        send([_in_a_session_of_its_own], signal.SIGKILL)  # the limit that README states


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_a_copy_that_returns_from_the_job_as_well_ends_there(log: Path, tmp_path: Path, concurrency: str):
    pid_file = tmp_path / "pid"
    (job_id,) = insert_jobs("engine.return_twice", {"path": str(pid_file)})

    with started_worker(log, "--concurrency", concurrency) as worker:
        wait_for(lambda: status_of(job_id) == "succeeded")
        copy = int(pid_file.read_text("ascii"))
        wait_for(lambda: not is_running(copy))
        (after,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(after) == "succeeded")

        assert "machinery" not in worker.read_log()
    assert outcomes_of(job_id) == [("succeeded", "", '"returned"')]
