"""Workers that die, and jobs that kill them."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from itertools import pairwise

from tests.acceptance.tiny import TinyProject, wait_until

SOON = {"TINY_ORPHANED_AFTER_SECONDS": "3"}


def test_the_job_of_a_killed_worker_runs_again_elsewhere(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep", seconds=3600)
    killed = tiny.start_worker(**SOON)
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")

    os.killpg(killed.pid, signal.SIGKILL)
    tiny.rows("UPDATE procrastinate_jobs SET args = '{\"seconds\": 0}' WHERE id = %s", job_id)
    tiny.start_worker(**SOON)

    wait_until(lambda: tiny.status_of(job_id) == "succeeded", what="the job ran again")
    assert tiny.outcomes(job_id) == ["crashed", "succeeded"]
    message = tiny.value("SELECT message FROM procrastinate_tasks_jobattempt WHERE outcome = 'crashed'")
    assert "lost its worker once" in message


def test_a_worker_that_was_stopped_and_wakes_cannot_finish_a_job_it_lost(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep", seconds=5)
    stopped = tiny.start_worker(**SOON)
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")
    os.killpg(stopped.pid, signal.SIGSTOP)
    tiny.start_worker(**SOON)
    wait_until(lambda: tiny.outcomes(job_id) == ["crashed"], what="the job was rescued")

    os.killpg(stopped.pid, signal.SIGCONT)

    wait_until(lambda: tiny.status_of(job_id) == "succeeded", what="the second run ended")
    wait_until(
        lambda: any(line.get("event") == "job_lost" for line in tiny.log_lines()), what="the first noticed"
    )
    assert tiny.outcomes(job_id) == ["crashed", "succeeded"]
    assert tiny.value("SELECT attempts FROM procrastinate_jobs WHERE id = %s", job_id) == 2


def test_a_draining_worker_keeps_its_heartbeat_and_its_job(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep", seconds=6)
    draining = tiny.start_worker(**SOON)
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")

    os.kill(draining.pid, signal.SIGTERM)
    tiny.start_worker(**SOON)

    wait_until(lambda: tiny.status_of(job_id) != "doing", what="the job ended")
    assert tiny.outcomes(job_id) == ["succeeded"]


def test_a_shutdown_costs_an_asynchronous_job_no_attempt(tiny: TinyProject):
    job_id = tiny.defer("notes.sleep_async", seconds=3600)
    stopping = tiny.start_worker("--shutdown-graceful-timeout", "0.2")
    wait_until(lambda: tiny.status_of(job_id) == "doing", what="the job runs")

    os.kill(stopping.pid, signal.SIGTERM)

    wait_until(lambda: tiny.status_of(job_id) == "todo", what="the job was given back")
    assert tiny.outcomes(job_id) == ["interrupted"]
    assert tiny.value("SELECT attempts FROM procrastinate_jobs WHERE id = %s", job_id) == 0


def test_a_retry_beside_a_waiting_job_with_its_queueing_lock_does_not_get_stuck(tiny: TinyProject):
    job_id = tiny.defer("notes.fail_beside_a_sibling")

    tiny.start_worker()

    wait_until(lambda: tiny.status_of(job_id) == "failed", what="the job ended in favour of the other")
    assert tiny.outcomes(job_id) == ["superseded"]
    assert tiny.value("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == 1


def test_a_worker_beats_at_a_third_of_the_silence_that_it_says_it_may_keep(tiny: TinyProject):
    tiny.start_worker(TINY_ORPHANED_AFTER_SECONDS="6")
    beats: list[datetime] = []

    def note_beat() -> bool:
        beats.extend(
            row["last_heartbeat"]
            for row in tiny.rows("SELECT last_heartbeat FROM procrastinate_workers")
            if row["last_heartbeat"] not in beats
        )
        return len(beats) > 3

    wait_until(note_beat, what="the worker beat three times")

    assert tiny.value("SELECT orphaned_after FROM procrastinate_tasks_liveworker") == timedelta(seconds=6)
    pauses = [later - earlier for earlier, later in pairwise(beats[1:])]  # it registers, then beats at once
    skew = tiny.value("SELECT clock_skew FROM procrastinate_tasks_liveworker")
    assert abs(skew) < timedelta(seconds=2), "it compares its clock with the database's, on one host"
    assert timedelta(seconds=1.8) < min(pauses) < timedelta(seconds=6)
