"""The last log lines of a job are kept while it runs and after its end, however it logs and ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.workers.workers import (
    insert_jobs,
    outcomes_of,
    query,
    send,
    started_worker,
    status_of,
    wait_for,
)

FROM_LOGS = "FROM procrastinate_tasks_joblog WHERE job_id = %s"


def logs_of(job_id: int) -> list[tuple[Any, ...]]:
    """Return attempt, texts and how many were left out, of each run."""
    rows = query(f"SELECT attempt, lines, left_out {FROM_LOGS} ORDER BY id", job_id)
    return [
        (attempt, [line["text"] for line in json.loads(lines)], left_out) for attempt, lines, left_out in rows
    ]


def test_a_running_job_s_lines_are_seen_without_its_arguments(log: Path):
    (job_id,) = insert_jobs("engine.log_and_hang", {"secret": "guest-4711"})

    with started_worker(log):
        wait_for(lambda: logs_of(job_id) == [(1, ["opened for [secret]", "stuck at 7"], 0)])
        ((lines,),) = query(f"SELECT lines {FROM_LOGS}", job_id)

    assert [(line["level"], line["logger"]) for line in json.loads(lines)] == [
        ("WARNING", "shop.mail"),
        ("ERROR", "shop.mail"),
    ]


def test_the_lines_of_a_child_that_is_killed_stay_beside_those_of_its_next_run(log: Path):
    (job_id,) = insert_jobs("engine.log_and_hang", {"secret": "guest-4711"})

    with started_worker(log) as worker:
        (child,) = worker.fork_named("queue child")
        wait_for(lambda: logs_of(job_id))
        send([child], signal.SIGKILL)
        wait_for(lambda: len(logs_of(job_id)) == 2)

    texts = ["opened for [secret]", "stuck at 7"]
    assert [lines for _, lines, _ in logs_of(job_id)] == [texts, texts]


def test_the_lines_stay_when_the_whole_worker_is_killed(log: Path):
    (job_id,) = insert_jobs("engine.log_and_hang", {"secret": "guest-4711"})

    with started_worker(log) as worker:
        wait_for(lambda: logs_of(job_id))
        send(worker.pids(), signal.SIGKILL)
        worker.wait()

    assert [lines for _, lines, _ in logs_of(job_id)] == [["opened for [secret]", "stuck at 7"]]


@pytest.mark.parametrize("lines", [50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_of_many_lines_the_last_hundred_are_kept_in_a_few_statements(log: Path, lines: int):
    (job_id,) = insert_jobs("engine.log_much", {"lines": lines})
    written = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname LIKE '%%joblog'"
    before = query(written)[0][0]

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "succeeded", within=60)
        wait_for(lambda: logs_of(job_id)[0][1][-1] == f"line {lines - 1}")

    ((_, texts, left_out),) = logs_of(job_id)
    assert texts == [f"line {number}" for number in range(lines - 100, lines)]
    assert left_out == lines - 100
    assert query(written)[0][0] - before < 400


def test_the_last_lines_before_a_job_kills_its_process_are_kept(log: Path):
    (job_id,) = insert_jobs("engine.log_much", {"lines": 3, "then": "die"})

    with started_worker(log):
        wait_for(lambda: outcomes_of(job_id))

    assert logs_of(job_id)[0][1] == ["line 0", "line 1", "line 2"]


def test_nothing_that_a_line_is_ends_its_job_or_grows_without_bound(log: Path):
    (job_id,) = insert_jobs("engine.log_hostile", {"characters": 50_000_000})

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "succeeded", within=60)
        wait_for(lambda: logs_of(job_id))

    ((_, texts, _),) = logs_of(job_id)
    assert texts == [
        "x" * 500,
        "NUL  and lone ? surrogate",
        "(a line that cannot be written: LookupError)",
        "(a line that cannot be written: TypeError)",
    ]


def test_a_thread_of_the_job_is_heard_when_it_has_the_job_s_context(log: Path):
    (job_id,) = insert_jobs("engine.log_in_threads")

    with started_worker(log):
        wait_for(lambda: logs_of(job_id))

    assert logs_of(job_id) == [(1, ["with its context"], 0)]


def test_a_handler_that_raises_ends_the_job_as_ever_and_its_line_is_kept(log: Path):
    (job_id,) = insert_jobs("engine.log_past_a_broken_handler")

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "failed")
        wait_for(lambda: logs_of(job_id))

    assert logs_of(job_id)[0][1] == ["before the handler that raises"]
    assert outcomes_of(job_id)[0][1] == "builtins.OSError"


def test_of_thousands_of_short_jobs_some_lines_are_kept_and_of_those_that_fail_all(log: Path):
    insert_jobs("engine.log_much", {"lines": 1}, count=1500)
    failing = insert_jobs("engine.log_much", {"lines": 1, "then": "raise"}, count=20, priority=-1)

    with started_worker(log, "--processes", "1"):
        wait_for(lambda: all(status_of(job_id) == "failed" for job_id in failing), within=60)
        wait_for(lambda: all(logs_of(job_id) for job_id in failing))

    ((kept,),) = query("SELECT count(*) FROM procrastinate_tasks_joblog")
    ((seconds,),) = query(
        "SELECT extract(EPOCH FROM max(finished_at) - min(started_at))::float"
        " FROM procrastinate_tasks_jobattempt"
    )
    assert kept <= 50 * (seconds + 2) + len(failing)


def test_a_job_that_logs_nothing_stores_nothing(log: Path):
    insert_jobs("engine.no_op", count=50)

    with started_worker(log, "--one-shot"):
        pass

    assert query("SELECT count(*) FROM procrastinate_tasks_joblog") == [(0,)]
