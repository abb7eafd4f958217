"""Soft limits raise inside the job; hard limits end it and its database session, whatever it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.workers.workers import (
    attempts_of,
    count_jobs,
    insert_jobs,
    outcomes_of,
    query,
    sessions_asleep,
    started_count,
    started_worker,
    status_of,
    wait_for,
)

SOFT = "procrastinate_tasks.exceptions.SoftTimeLimitExceeded"
HARD = "procrastinate_tasks.exceptions.TimeLimitExceeded"
SHORT_SOFT = ("--soft-time-limit", "0.4", "--time-limit", "30")
SHORT_HARD = ("--soft-time-limit", "0.5", "--time-limit", "1")


def in_the_long_run(name: str) -> ParameterSet:
    """Leave a kind of waiting to the slow run; others of its kind are in each."""
    return pytest.param(name, marks=pytest.mark.slow)


ENDLESS = {
    "sleep": ("engine.sleep", {"seconds": 60}),
    "Python loop": ("engine.spin", {}),
    "C loop that holds the GIL": ("engine.hold_gil", {}),
    "socket": ("engine.wait_for_socket", {}),
    "query": ("engine.query", {"seconds": 60}),
    "await": ("engine.async_sleep", {"seconds": 60}),
    "async query": ("engine.async_query", {"seconds": 60}),
    "blocked event loop": ("engine.block_loop", {}),
    "swallowed exception": ("engine.swallow", {}),
    "swallowed cancellation": ("engine.async_swallow", {}),
}


@pytest.mark.parametrize("name", list(ENDLESS))
def test_the_hard_limit_ends_a_job_in_a(name: str, log: Path):
    task, args = ENDLESS[name]
    (job_id,) = insert_jobs(task, args)

    with started_worker(log, "--soft-time-limit", "0", "--time-limit", "1"):
        wait_for(lambda: status_of(job_id) == "doing")
        wait_for(lambda: status_of(job_id) == "failed", within=8)

        assert outcomes_of(job_id) == [("failed", HARD, None)]
        wait_for(lambda: sessions_asleep() == 0, within=3)
        (after,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(after) == "succeeded", within=8)


@pytest.mark.parametrize("name", ["swallowed exception", "swallowed cancellation"])
def test_a_job_that_swallows_the_soft_limit_meets_the_hard_one(name: str, log: Path):
    task, args = ENDLESS[name]
    (job_id,) = insert_jobs(task, args)

    with started_worker(log, *SHORT_HARD):
        wait_for(lambda: status_of(job_id) == "failed", within=8)

    assert outcomes_of(job_id) == [("failed", HARD, None)]


@pytest.mark.parametrize("name", ["sleep", "await", *map(in_the_long_run, ["Python loop", "query"])])
def test_a_job_ended_by_the_hard_limit_keeps_the_stack_it_was_in(name: str, log: Path):
    task, args = ENDLESS[name]
    (job_id,) = insert_jobs(task, args)

    with started_worker(log, "--soft-time-limit", "0", "--time-limit", "1"):
        wait_for(lambda: status_of(job_id) == "failed", within=8)

    ((traceback,),) = query("SELECT traceback FROM procrastinate_tasks_jobattempt WHERE job_id = %s", job_id)
    assert "tests/workers/tasks.py" in traceback


@pytest.mark.parametrize(
    "name", ["Python loop", "async query", *map(in_the_long_run, ["query", "await", "blocked event loop"])]
)
def test_the_soft_limit_raises_in_a_job_among_others_in_a(name: str, log: Path):
    task, args = ENDLESS[name]
    (job_id,) = insert_jobs(task, args)

    with started_worker(log, *SHORT_SOFT, "--concurrency", "4"):
        wait_for(lambda: status_of(job_id) == "failed", within=8)

    assert outcomes_of(job_id) == [("failed", SOFT, None)]
    assert sessions_asleep() == 0


@pytest.mark.parametrize(
    "name",
    ["sleep", "blocked event loop", *map(in_the_long_run, ["Python loop", "socket", "query", "await"])],
)
def test_the_soft_limit_raises_in_a_job_that_has_its_process_alone_in_a(name: str, log: Path):
    task, args = ENDLESS[name]
    (job_id,) = insert_jobs(task, args)

    with started_worker(log, *SHORT_SOFT, "--concurrency", "1"):
        wait_for(lambda: status_of(job_id) == "failed", within=8)
        (after,) = insert_jobs("engine.query", {"seconds": 0})
        wait_for(lambda: status_of(after) == "succeeded")

    assert outcomes_of(job_id) == [("failed", SOFT, None)]


@pytest.mark.parametrize("task", ["engine.clean_up", "engine.async_clean_up"])
def test_a_job_may_catch_the_soft_limit_and_finish(task: str, log: Path):
    (job_id,) = insert_jobs(task)

    with started_worker(log, *SHORT_SOFT):
        wait_for(lambda: status_of(job_id) == "succeeded")

    assert outcomes_of(job_id) == [("succeeded", "", '"cleaned up"')]


def test_a_task_may_have_its_own_limits(log: Path):
    (job_id,) = insert_jobs("engine.own_limits")

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "failed", within=8)

    assert outcomes_of(job_id) == [("failed", SOFT, None)]


def test_neighbours_of_a_job_over_its_limit_lose_no_attempt(log: Path):
    (overdue,) = insert_jobs("engine.hold_gil")

    with started_worker(log, "--soft-time-limit", "0", "--time-limit", "2", "--concurrency", "3"):
        wait_for(lambda: status_of(overdue) == "doing")
        neighbours = [
            *insert_jobs("engine.sleep", {"seconds": 1}),
            *insert_jobs("engine.async_sleep", {"seconds": 1}),
        ]
        wait_for(lambda: count_jobs("succeeded") == 2, within=10)

    assert status_of(overdue) == "failed"
    assert [(attempts_of(job_id), started_count(job_id)) for job_id in neighbours] == [(1, 2), (1, 2)]
    assert [[row[0] for row in outcomes_of(job_id)] for job_id in neighbours] == [
        ["interrupted", "succeeded"],
        ["interrupted", "succeeded"],
    ]
