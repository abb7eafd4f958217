"""The worker's statements read what they need and no more, also when the statistics say that all is empty."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from procrastinate_tasks.database import statement
from tests.integration.procrastinate_tasks.claiming import (
    NOTHING_PASSED,
    claim,
    execute,
    known,
    register_worker,
    run,
)

pytestmark = pytest.mark.django_db

# Reading one of these from end to end costs as much as there are waiting or running jobs.
ALL_THAT_WAIT_OR_RUN = {
    "procrastinate_jobs_priority_idx_v1",
    "procrastinate_jobs_queueing_lock_idx_v1",
    "procrastinate_jobs_id_lock_idx_v1",
    "procrastinate_jobs_lock_idx_v1",
    "idx_procrastinate_jobs_worker_not_null",
}


def fill(*, finished: int, future: int, ready: int) -> None:
    """Insert jobs behind the statistics' back: they know an empty table.

    What earlier tests rolled back has left its pages in table and indexes, which plans depend on too.
    """
    forget_statistics()
    execute("SET LOCAL session_replication_role = replica")
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at)"
        " SELECT 'sample', 'sample.remember', %s::procrastinate_job_status, now() + %s::interval"
        " FROM generate_series(1, %s)"
    )
    execute(insert, "succeeded", None, finished)
    execute(insert, "todo", "1 day", future)
    execute(insert, "todo", None, ready)
    execute("SET LOCAL session_replication_role = DEFAULT")


def forget_statistics() -> None:
    """Empty the table, and what the planner knows of its columns: of an empty one ANALYZE keeps the old."""
    execute("TRUNCATE procrastinate_jobs CASCADE")
    execute("ANALYZE procrastinate_jobs")
    execute("DELETE FROM pg_statistic WHERE starelid = 'procrastinate_jobs'::regclass")


def accesses_to_jobs(name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a statement and return how its plan reads the jobs: index, rows read, loops."""
    explain = f"EXPLAIN (ANALYZE, FORMAT json) {statement(name)}"  # type: ignore[str-bytes-safe, unused-ignore]
    with connection.cursor() as cursor:
        cursor.execute(explain, parameters)
        (answer,) = cursor.fetchone()
    (plan,) = answer if isinstance(answer, list) else json.loads(answer)
    return [
        node
        for node in nodes_of(plan["Plan"])
        if node.get("Relation Name") == "procrastinate_jobs" and node["Actual Loops"]
    ]


def nodes_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for child in node.get("Plans", []) for found in nodes_of(child))]


def claim_of(slots: int, *, worker_id: int) -> dict[str, Any]:
    return {"queues": None, "worker_id": worker_id, "slots": slots, "tasks": known()} | NOTHING_PASSED


def rows_read(access: dict[str, Any]) -> float:
    rows = access["Actual Rows"] + access.get("Rows Removed by Filter", 0)
    return float(rows * access["Actual Loops"])


@pytest.mark.parametrize("plan_cache_mode", ["force_custom_plan", "force_generic_plan"])
def test_a_claim_reads_the_jobs_it_takes(plan_cache_mode: str):
    worker_id = register_worker()
    fill(finished=3000, future=500, ready=100)
    execute(f"SET LOCAL plan_cache_mode = {plan_cache_mode}")

    accesses = accesses_to_jobs("worker/claim_jobs", claim_of(10, worker_id=worker_id))

    assert {access.get("Index Name") for access in accesses}.isdisjoint(ALL_THAT_WAIT_OR_RUN)
    assert max(map(rows_read, accesses)) <= 10


def test_a_claim_finds_the_others_with_a_lock_by_an_index_that_holds_locked_jobs_alone():
    worker_id = register_worker()
    fill(finished=0, future=0, ready=200)
    execute("UPDATE procrastinate_jobs SET lock = mod(id, 2) WHERE mod(id, 4) > 1")
    execute("SET LOCAL enable_seqscan = off")

    accesses = accesses_to_jobs("worker/claim_jobs", claim_of(200, worker_id=worker_id))

    used = {access.get("Index Name") for access in accesses}
    assert used & {"ptasks_jobs_held_lock", "ptasks_jobs_lock_order", "ptasks_jobs_lock_due"}
    assert used.isdisjoint(ALL_THAT_WAIT_OR_RUN)


def test_looking_ahead_reads_one_job_of_each_kind():
    fill(finished=3000, future=500, ready=0)

    accesses = accesses_to_jobs("worker/next_due", {"queues": None, "tasks": known()})

    assert {access.get("Index Name") for access in accesses}.isdisjoint(ALL_THAT_WAIT_OR_RUN)
    assert max(map(rows_read, accesses)) <= 1


def test_settling_reads_the_jobs_it_ends_and_not_all_that_run():
    worker_id = register_worker()
    fill(finished=30_000, future=0, ready=500)
    claimed = claim(500, worker_id=worker_id)
    ends = [end_of(job_id, worker_id=worker_id) for job_id in claimed[:10]]

    accesses = accesses_to_jobs("jobs/complete_jobs", {"ends": json.dumps(ends)})

    assert {access.get("Index Name") for access in accesses}.isdisjoint(ALL_THAT_WAIT_OR_RUN)
    assert max(map(rows_read, accesses)) <= 10


def end_of(job_id: int, *, worker_id: int) -> dict[str, object]:
    return {
        "job_id": job_id,
        "worker_id": worker_id,
        "attempts": 0,
        "status": "succeeded",
        "outcome": "succeeded",
        "counts_attempt": True,
        "deletes_job": False,
        "task_name": "sample.remember",
        "queue_name": "sample",
        "started_ago": 1.5,
        "finished_ago": 0.5,
    }


def limit_the_queue() -> None:
    execute(
        "INSERT INTO procrastinate_tasks_queuerule"
        " (queue_name, concurrency_limit, paused_by, pause_reason, limits_by_hand, recent_starts, updated_at)"
        " VALUES ('sample', 1, '', '', false, '{}', now())"
    )


def test_settling_in_a_limited_queue_reads_none_that_fell_due_in_another():
    worker_id = register_worker()
    limit_the_queue()
    fill(finished=0, future=500, ready=1)
    (job_id,) = claim(worker_id=worker_id)
    execute("UPDATE procrastinate_jobs SET queue_name = 'other', scheduled_at = now() WHERE status = 'todo'")

    execute("SET LOCAL enable_seqscan = off")

    accesses = accesses_to_jobs(
        "jobs/complete_jobs", {"ends": json.dumps([end_of(job_id, worker_id=worker_id)])}
    )

    assert max(map(rows_read, accesses)) <= 1


def test_settling_wakes_the_workers_of_a_limited_queue_that_has_jobs_waiting():
    worker_id = register_worker()
    limit_the_queue()
    fill(finished=0, future=5, ready=2)
    (job_id,) = claim(worker_id=worker_id)

    (answer,) = run("jobs/complete_jobs", ends=json.dumps([end_of(job_id, worker_id=worker_id)]))

    assert answer[-1] == 1
