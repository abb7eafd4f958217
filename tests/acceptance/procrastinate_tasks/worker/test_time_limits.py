"""Soft limits raise inside the job; hard limits end it and its database session, whatever it does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

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


SWALLOWED = ["swallowed exception", "swallowed cancellation"]
IN_C = ["C loop that holds the GIL"]
# What the system waits for ends early only in a main thread, which a signal reaches.
WAITED_FOR_BY_THE_SYSTEM = ["sleep", "socket"]


def insert_endless(names: Iterable[str]) -> dict[str, int]:
    """One job of each kind, that run one after another."""
    return {name: insert_jobs(*ENDLESS[name], lock="one by one")[0] for name in names}


def outcomes_by_name(jobs: dict[str, int]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: outcomes_of(job_id) for name, job_id in jobs.items()}


def test_the_hard_limit_ends_a_job_whatever_it_is_in_and_keeps_its_stack(log: Path):
    jobs = insert_endless(ENDLESS)

    with started_worker(log, "--soft-time-limit", "0", "--time-limit", "1"):
        wait_for(lambda: count_jobs("failed") == len(jobs), within=8 * len(jobs))
        wait_for(lambda: sessions_asleep() == 0, within=3)
        (after,) = insert_jobs("engine.no_op")
        wait_for(lambda: status_of(after) == "succeeded", within=8)

    assert outcomes_by_name(jobs) == {name: [("failed", HARD, None)] for name in jobs}
    for name, job_id in jobs.items():
        ((stack,),) = query("SELECT traceback FROM procrastinate_tasks_jobattempt WHERE job_id = %s", job_id)
        assert "tests/workers/tasks.py" in stack or name in IN_C, name


def test_a_job_that_swallows_the_soft_limit_meets_the_hard_one(log: Path):
    jobs = insert_endless(SWALLOWED)

    with started_worker(log, *SHORT_HARD):
        wait_for(lambda: count_jobs("failed") == len(jobs), within=8 * len(jobs))

    assert outcomes_by_name(jobs) == {name: [("failed", HARD, None)] for name in jobs}


@pytest.mark.parametrize(("concurrency", "beyond_reach"), [("1", []), ("4", WAITED_FOR_BY_THE_SYSTEM)])
def test_the_soft_limit_raises_in_a_job_alone_in_its_process_or_among_others(
    concurrency: str, beyond_reach: list[str], log: Path
):
    jobs = insert_endless(name for name in ENDLESS if name not in [*SWALLOWED, *IN_C, *beyond_reach])

    with started_worker(log, *SHORT_SOFT, "--concurrency", concurrency):
        wait_for(lambda: count_jobs("failed") == len(jobs), within=8 * len(jobs))
        assert sessions_asleep() == 0
        (after,) = insert_jobs("engine.query", {"seconds": 0})
        wait_for(lambda: status_of(after) == "succeeded")

    assert outcomes_by_name(jobs) == {name: [("failed", SOFT, None)] for name in jobs}


def test_a_job_may_catch_the_soft_limit_and_finish(log: Path):
    jobs = [*insert_jobs("engine.clean_up"), *insert_jobs("engine.async_clean_up")]

    with started_worker(log, *SHORT_SOFT):
        wait_for(lambda: count_jobs("succeeded") == len(jobs))

    assert [outcomes_of(job_id) for job_id in jobs] == [[("succeeded", "", '"cleaned up"')]] * 2


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
