"""What a worker cannot use is named in words, and costs nothing: no job is lost, and the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from procrastinate_tasks.management.commands.procrastinate import Command
from tests.workers.workers import (
    end_the_patience_with,
    insert_jobs,
    outcomes_of,
    query,
    started_worker,
    status_of,
    wait_for,
)

SETTINGS_WITHOUT_THE_TASK = "tests.workers.storm.settings"


def message_of(job_id: int) -> str:
    sql = "SELECT message FROM procrastinate_tasks_jobattempt WHERE job_id = %s ORDER BY id DESC LIMIT 1"
    ((message,),) = query(sql, job_id)
    return str(message)


def args_of(job_id: int) -> object:
    ((args,),) = query("SELECT args::text FROM procrastinate_jobs WHERE id = %s", job_id)
    return json.loads(args)


def insert_with_args(args: object) -> int:
    (job_id,) = insert_jobs("engine.add")
    query(
        "UPDATE procrastinate_jobs SET args = %s::jsonb WHERE id = %s RETURNING id", json.dumps(args), job_id
    )
    return job_id


def test_a_queue_that_no_task_uses_is_told_with_the_likely_name_and_served(log: Path):
    (job_id,) = insert_jobs("engine.no_op", queue="defualt")

    with started_worker(log, "--queues", "defualt,default") as worker:
        wait_for(lambda: status_of(job_id) == "succeeded")

        told = [line for line in worker.read_log().splitlines() if "no task uses the queue" in line]
    assert len(told) == 1
    assert "'defualt'" in told[0]
    assert "Did you mean 'default'?" in told[0]


def test_limits_in_the_wrong_order_are_refused_before_anything_starts():
    with pytest.raises(CommandError, match="--soft-time-limit: 10 s must be less than --time-limit"):
        call_command(Command(), "worker", "--soft-time-limit", "10", "--time-limit", "5")


SENSELESS: list[tuple[object, str]] = [
    ([1, 2], "no JSON object"),
    ("left", "no JSON object"),
    (None, "no JSON object"),
    ({"left": 1}, "missing 1 required positional argument: 'right'"),
    ({"left": 1, "right": 2, "middle": 3}, "unexpected keyword argument 'middle'"),
    ({"left": 1, "right": "two"}, "unsupported operand type"),
]


def test_arguments_that_the_task_cannot_take_fail_that_job_alone_and_are_kept(log: Path):
    jobs = [insert_with_args(args) for args, _ in SENSELESS]
    (fine,) = insert_jobs("engine.add", {"left": 1, "right": 2})

    with started_worker(log):
        for job_id in jobs:
            end_the_patience_with(job_id)
        wait_for(lambda: status_of(fine) == "succeeded" and {*map(status_of, jobs)} == {"failed"})

    for job_id, (args, complaint) in zip(jobs, SENSELESS, strict=True):
        assert complaint in message_of(job_id)
        assert args_of(job_id) == args


def test_a_job_whose_task_was_removed_waits_and_runs_when_the_task_is_back(log: Path):
    (job_id,) = insert_jobs("engine.add", {"left": 1, "right": 2})
    with started_worker(log, "--one-shot", settings_module=SETTINGS_WITHOUT_THE_TASK) as worker:
        assert worker.wait() == 0
    assert status_of(job_id) == "todo"

    with started_worker(log):
        wait_for(lambda: status_of(job_id) == "succeeded")

    assert outcomes_of(job_id) == [("succeeded", "", "3")]
