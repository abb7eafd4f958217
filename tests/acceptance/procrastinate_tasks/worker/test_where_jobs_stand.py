"""A job that hangs says where, while it goes on: in C, at an await, in an endless loop."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from procrastinate_tasks.jobs import stacks
from tests.workers.workers import granted, insert_jobs, query, started_worker, status_of, wait_for

WITHIN = timedelta(seconds=granted(10))


HANGING = {
    "engine.sleep": ({"seconds": 60}, "time.sleep(seconds)"),
    "engine.await_for_ever": ({}, "await asyncio.get_running_loop().create_future()"),
    "engine.loop": ({}, "while True:"),
}


@pytest.mark.parametrize(
    "options", [("--processes", "3", "--concurrency", "1"), ("--processes", "1", "--concurrency", "4")]
)
def test_a_job_that_hangs_says_where(log: Path, options: tuple[str, ...]):
    jobs = {task: insert_jobs(task, args)[0] for task, (args, _) in HANGING.items()}

    with started_worker(log, *options):
        wait_for(lambda: all(status_of(job_id) == "doing" for job_id in jobs.values()))
        for task, job_id in jobs.items():
            found = stacks.ask(job_id, within=WITHIN)
            again = stacks.ask(job_id, within=WITHIN)

            assert found is not None and again is not None
            assert status_of(job_id) == "doing"
            line = HANGING[task][1]
            assert line in found.stack or (task == "engine.loop" and "in loop\n    pass" in found.stack)
            assert found.answered_at is not None and again.answered_at is not None
            assert again.answered_at > found.answered_at


def test_a_job_that_lets_nothing_else_run_is_told_to_be_silent(log: Path):
    (job_id,) = insert_jobs("engine.hold_gil")

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "doing")
        found = stacks.ask(job_id, within=timedelta(seconds=5.5))

        assert found is not None
        assert (found.runs, found.is_awaited, found.is_silent) == (True, True, True)


def test_of_a_job_that_does_not_run_nothing_is_asked(log: Path):
    (job_id,) = insert_jobs("engine.no_op")

    found = stacks.ask(job_id, within=WITHIN)

    assert found is not None
    assert (found.runs, found.asked_at) == (False, None)
    assert stacks.ask(job_id + 1, within=WITHIN) is None


def test_without_an_answer_the_wait_ends_and_the_question_stands():
    (job_id,) = insert_jobs("engine.no_op")
    query("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s RETURNING id", job_id)

    found = stacks.ask(job_id, within=timedelta(seconds=0.3))

    assert found is not None
    assert (found.runs, found.is_awaited, found.stack) == (True, True, "")
