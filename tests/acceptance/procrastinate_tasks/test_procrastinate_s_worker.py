"""Procrastinate's own worker on the project's app keeps the same promises, through the job manager."""

from __future__ import annotations

import os
import signal

from tests.acceptance.tiny import TinyProject, wait_until


def outcomes(tiny: TinyProject, job_id: int) -> list[str]:
    rows = tiny.rows(
        "SELECT outcome FROM procrastinate_tasks_jobattempt WHERE job_id = %s ORDER BY id", job_id
    )
    return [row["outcome"] for row in rows]


def test_what_a_task_defers_stands_or_falls_with_the_rows_it_wrote(tiny: TinyProject):
    job_id = tiny.defer("notes.save_defer_and_raise", text="gone")

    tiny.start_procrastinate_s_worker()
    wait_until(lambda: tiny.status_of(job_id) == "failed", what="the task has run")

    assert tiny.notes() == []
    assert tiny.value("SELECT count(*) FROM procrastinate_jobs") == 1
    assert tiny.outcomes(job_id) == ["failed"]


def test_a_retry_beside_a_waiting_job_with_its_queueing_lock_does_not_get_stuck(tiny: TinyProject):
    job_id = tiny.defer("notes.fail_beside_a_sibling")

    tiny.start_procrastinate_s_worker()

    wait_until(lambda: tiny.status_of(job_id) == "failed", what="the job ended in favour of the other")
    assert tiny.outcomes(job_id) == ["superseded"]


def test_a_draining_worker_keeps_its_heartbeat_and_its_job(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep", seconds=6)
    draining = tiny.start_procrastinate_s_worker()
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")

    os.kill(draining.pid, signal.SIGTERM)
    tiny.start_procrastinate_s_worker()

    wait_until(lambda: tiny.status_of(job_id) != "doing", what="the job ended")
    assert tiny.outcomes(job_id) == ["succeeded"]


def test_a_shutdown_costs_an_asynchronous_job_no_attempt(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep_async", seconds=3600)
    stopping = tiny.start_procrastinate_s_worker(shutdown_graceful_timeout=0.2)
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")

    os.kill(stopping.pid, signal.SIGTERM)

    wait_until(lambda: tiny.status_of(job_id) == "todo", what="the job was given back")
    assert tiny.outcomes(job_id) == ["interrupted"]
    assert tiny.value("SELECT attempts FROM procrastinate_jobs WHERE id = %s", job_id) == 0


def test_a_killed_worker_s_job_is_rescued_by_the_next(tiny: TinyProject):
    job_id = tiny.defer("notes.kill_own_worker")
    doomed = [tiny.start_procrastinate_s_worker() for _ in range(2)]
    wait_until(lambda: all(worker.poll() is not None for worker in doomed), what="both workers died")

    tiny.start_procrastinate_s_worker()

    wait_until(lambda: tiny.status_of(job_id) == "failed", what="the job is parked")
    assert tiny.outcomes(job_id) == ["crashed", "parked"]


def test_arguments_reach_no_log_line(tiny: TinyProject):
    job_id = tiny.defer("notes.write_secret", text="4929-secret")

    tiny.start_procrastinate_s_worker()
    wait_until(lambda: tiny.status_of(job_id) == "succeeded", what="the task has run")
    wait_until(lambda: "Job succeeded" in tiny.log_path.read_text(), what="the log is written")

    assert "4929-secret" not in tiny.log_path.read_text()
