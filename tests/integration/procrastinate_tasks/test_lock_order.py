"""Which jobs with a lock a claim takes: what a look at all of them would, and without looking at all."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from procrastinate.contrib.django import app

from procrastinate_tasks.database import ask, fetch_row, statement
from procrastinate_tasks.queries.jobs import JobQuery, counts_of_tabs, list_jobs
from procrastinate_tasks.queries.queues import queue_depths
from procrastinate_tasks.queries.tabs import Tab
from procrastinate_tasks.worker.connection import OWN_SETTINGS
from tests.integration.procrastinate_tasks.claiming import claim, execute, register_worker
from tests.integration.procrastinate_tasks.test_plans import (
    ALL_THAT_WAIT_OR_RUN,
    accesses_to_jobs,
    claim_of,
    forget_statistics,
    rows_read,
)

pytestmark = pytest.mark.django_db

# Of those that run there are no more than slots.
ALL_THAT_WAIT = ALL_THAT_WAIT_OR_RUN - {"procrastinate_jobs_lock_idx_v1"}
TASK = "sample.remember"
assert TASK in app.tasks
READY = """
    SELECT id FROM procrastinate_jobs AS job
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
      AND (lock IS NULL OR NOT EXISTS (
          SELECT FROM procrastinate_jobs AS other
          WHERE other.lock = job.lock AND other.id <> job.id
            AND (other.status = 'doing' OR other.status = 'todo'
                 AND (other.scheduled_at IS NULL OR other.scheduled_at <= now())
                 AND (other.priority, -other.id) > (job.priority, -job.id))
      ))
    ORDER BY priority DESC, id
    LIMIT %s
"""
DUE = """
    SELECT id, queue_name FROM procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
"""


def empty() -> None:
    execute("TRUNCATE procrastinate_jobs CASCADE")
    execute("SET LOCAL session_replication_role = replica")


def insert_blocked(count: int, *, lock: str = "one") -> None:
    """Let so many jobs wait for one that runs."""
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock)"
        " SELECT 'sample', 'sample.remember', %s::procrastinate_job_status, %s FROM generate_series(1, %s)"
    )
    execute(insert, "doing", lock, 1)
    execute(insert, "todo", lock, count)


def insert_at_random(dice: random.Random, *, jobs: int, locks: int) -> None:
    running: set[str] = set()
    for _ in range(jobs):
        lock = dice.choice([None, "crowd", f"lock-{dice.randrange(locks)}"])
        runs = lock is not None and lock not in running and dice.random() < 0.02
        if runs and lock:
            running.add(lock)
        execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, priority, scheduled_at)"
            " VALUES (%s, 'sample.remember', %s::procrastinate_job_status, %s, %s, now() + %s::interval)",
            dice.choice(["sample", "other"]),
            "doing" if runs else "todo",
            lock,
            dice.choice([0, 0, 0, 1, -5]),
            dice.choice([None, None, None, "-1 hour", "1 hour"]),
        )


def expected(slots: int) -> list[int]:
    return [row[0] for row in fetch(READY, slots)]


def fetch(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


@pytest.mark.parametrize("seed", range(12))
def test_a_claim_takes_what_a_look_at_every_job_would(seed: int):
    dice = random.Random(seed)  # noqa: S311 - the same jobs each time
    worker_id = register_worker()
    empty()
    insert_at_random(dice, jobs=dice.choice([20, 400]), locks=dice.choice([2, 30]))

    for _ in range(4):
        slots = dice.choice([1, 3, 20])
        wanted = expected(slots)
        assert sorted(claim(slots, worker_id=worker_id)) == sorted(wanted)


def test_due_jobs_behind_a_thousand_due_ones_that_are_blocked_are_claimed():
    worker_id = register_worker()
    empty()
    insert_blocked(1100)
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 hour' WHERE status = 'todo'")
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, scheduled_at)"
        " SELECT 'sample', 'sample.remember', lock, now() + due"
        " FROM (VALUES (NULL, interval '-1 s'), ('two', '-1 s'), ('two', '-1 s'), ('three', '1 s'))"
        " AS item (lock, due)"
    )

    assert len(claim(10, worker_id=worker_id)) == 2


def test_what_stands_behind_many_blocked_jobs_is_claimed():
    worker_id = register_worker()
    empty()
    insert_blocked(1000)
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock)"
        " SELECT 'sample', 'sample.remember', lock"
        " FROM unnest(ARRAY[NULL, 'two', 'two', 'three']) AS item (lock)"
    )

    assert len(claim(10, worker_id=worker_id)) == 3


@pytest.mark.parametrize("are_due", [False, True], ids=["ready", "scheduled and due"])
def test_a_claim_reads_no_more_where_thousands_wait_for_one_lock(are_due: bool):
    forget_statistics()
    empty()

    accesses = accesses_of_a_claim_behind(5000, are_due=are_due)

    assert {access.get("Index Name") for access in accesses}.isdisjoint(ALL_THAT_WAIT)
    assert max(map(rows_read, accesses)) <= 300


@pytest.mark.parametrize("are_due", [False, True], ids=["ready", "scheduled and due"])
def test_until_statistics_know_a_backlog_it_is_read_for_the_running_ones_alone(are_due: bool):
    forget_statistics()
    empty()
    execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
        " SELECT 'sample', 'sample.remember', 'succeeded' FROM generate_series(1, 50000)"
    )
    execute("ANALYZE procrastinate_jobs")

    accesses = accesses_of_a_claim_behind(5000, are_due=are_due)

    read = [access for access in accesses if rows_read(access) > 300]
    assert {access["Filter"] for access in read} <= {"(status = 'doing'::procrastinate_job_status)"}
    assert all(access["Actual Loops"] == 1 for access in read)


def test_statistics_follow_a_backlog():
    ((options,),) = fetch("SELECT reloptions FROM pg_class WHERE oid = 'procrastinate_jobs'::regclass")

    assert set(options) >= {"autovacuum_analyze_scale_factor=0.01", "autovacuum_analyze_threshold=1000"}


def accesses_of_a_claim_behind(count: int, *, are_due: bool) -> list[dict[str, Any]]:
    """Claim as a worker's session does where so many jobs wait for one lock."""
    worker_id = register_worker()
    insert_blocked(count)
    if are_due:
        execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() - interval '1 hour' WHERE status = 'todo'"
        )
    for name, value in OWN_SETTINGS.items():
        execute("SELECT set_config(%s, %s, true)", name, value)
    return accesses_to_jobs("worker/claim_jobs", claim_of(10, worker_id=worker_id))


@pytest.mark.parametrize("seed", range(6))
def test_list_counts_dashboard_and_diagnosis_hold_the_same_jobs_for_blocked(seed: int):
    dice = random.Random(seed)  # noqa: S311 - the same jobs each time
    empty()
    insert_at_random(dice, jobs=40, locks=dice.choice([2, 8]))
    due = {row[0]: row[1] for row in fetch(DUE)}
    blocked = due.keys() - set(expected(len(due)))

    listed = list_jobs(JobQuery(tab=Tab.BLOCKED)).rows
    assert {row.id for row in listed} == blocked
    assert {row.id for row in list_jobs(JobQuery(tab=Tab.READY)).rows} == due.keys() - blocked
    assert ask(counts_of_tabs(JobQuery()))[Tab.BLOCKED].number == len(blocked)
    depths = {depth.queue: depth for depth in ask(queue_depths())}
    assert +Counter({name: depth.blocked for name, depth in depths.items()}) == Counter(
        due[job_id] for job_id in blocked
    )
    assert sum(depth.ready for depth in depths.values()) == len(due) - len(blocked)
    assert {job_id for job_id in due if holder_of(job_id) is not None} == blocked


def holder_of(job_id: int) -> int | None:
    facts = fetch_row(statement("queues/job_facts"), job_id=job_id, now=None, orphaned_after="30 seconds")
    holder: int | None = facts["lock_holder_id"]
    return holder
