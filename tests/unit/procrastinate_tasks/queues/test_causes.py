"""Why a job is not running: of several causes, the one to remove first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from procrastinate_tasks.conf import QueueLimit, Rate, find_limit_problem
from procrastinate_tasks.queues.policies import Cause, JobFacts, WorkerFacts, decide_cause

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

# In the order in which they are told: each is told although all that follow it hold as well.
CAUSES: list[tuple[Cause, dict[str, Any]]] = [
    (Cause.SCHEDULED, {"scheduled_at": NOW + MINUTE}),
    (Cause.PAUSED, {"paused_at": NOW - MINUTE}),
    (Cause.LOCK_AWAITED, {"lock_holder_id": 7}),
    (Cause.CONCURRENCY_REACHED, {"concurrency_limit": 2, "queue_running": 2}),
    (Cause.RATE_REACHED, {"rate_opens_at": NOW + MINUTE}),
]


def job(**facts: Any) -> JobFacts:
    defaults: dict[str, Any] = {
        "now": NOW,
        "id": 1,
        "task_name": "shop.pay",
        "queue_name": "shop",
        "status": "todo",
        "orphaned_after": MINUTE,
    }
    return JobFacts(**{**defaults, **facts})


def worker(**facts: Any) -> WorkerFacts:
    defaults: dict[str, Any] = {
        "id": 1,
        "serves_queue": True,
        "knows_task": True,
        "capacity": 4,
        "running": 0,
    }
    return WorkerFacts(**{**defaults, **facts})


BUSY = worker(running=4)


@pytest.mark.parametrize("position", range(len(CAUSES)))
def test_the_first_cause_to_remove_is_told(position: int):
    facts = {name: value for _, cause in CAUSES[position:] for name, value in cause.items()}

    assert decide_cause(job(**facts), [BUSY]) is CAUSES[position][0]


@pytest.mark.parametrize("limits", [{"concurrency_limit": 1}, {"concurrency_limit": 3, "queue_running": 2}])
def test_a_limit_that_is_not_reached_holds_nothing_back(limits: dict[str, int]):
    assert decide_cause(job(**limits), [worker()]) is Cause.STARTS_NOW


def test_nothing_holds_back_a_ready_job_with_a_free_slot():
    assert decide_cause(job(scheduled_at=NOW), [BUSY, worker()]) is Cause.STARTS_NOW


def test_busy_workers_are_told_when_nothing_else_is():
    assert decide_cause(job(), [BUSY]) is Cause.NO_FREE_SLOT


def test_a_free_worker_that_may_not_run_it_does_not_count():
    assert decide_cause(job(), [BUSY, worker(serves_queue=False)]) is Cause.NO_FREE_SLOT


def test_a_worker_that_does_not_tell_its_capacity_counts_as_free():
    assert decide_cause(job(), [worker(capacity=None, running=9)]) is Cause.STARTS_NOW


@pytest.mark.parametrize("workers", [[], [worker(serves_queue=False)]])
def test_without_a_worker_for_its_queue_limits_do_not_matter(workers: list[WorkerFacts]):
    assert decide_cause(job(lock_holder_id=7), workers) is Cause.NO_WORKER


def test_a_task_must_be_known_by_a_worker_that_serves_its_queue():
    workers = [worker(knows_task=False), worker(serves_queue=False)]

    assert decide_cause(job(), workers) is Cause.UNKNOWN_TASK


def test_a_job_that_runs_with_the_lock_is_told_from_one_that_comes_first():
    assert decide_cause(job(lock_holder_id=7, lock_holder_runs=True), [worker()]) is Cause.LOCK_HELD


def test_a_retry_is_told_from_a_schedule_by_the_last_attempt():
    waiting = job(scheduled_at=NOW + MINUTE, last_outcome="retrying")

    assert decide_cause(waiting, [worker()]) is Cause.WAITS_FOR_RETRY


@pytest.mark.parametrize(
    ("last_heartbeat", "cause"),
    [
        (NOW, Cause.RUNNING),
        (NOW - MINUTE, Cause.RUNNING),
        (NOW - 2 * MINUTE, Cause.ORPHANED),
        (None, Cause.ORPHANED),
    ],
)
def test_a_running_job_is_orphaned_when_its_worker_is_silent_or_gone(last_heartbeat, cause: Cause):
    assert decide_cause(job(status="doing", last_heartbeat=last_heartbeat), []) is cause


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "aborted"])
def test_an_ended_job_has_ended_whatever_else_holds(status: str):
    assert decide_cause(job(status=status, paused_at=NOW), []) is Cause.ENDED


def test_a_job_that_does_not_exist():
    assert decide_cause(None, []) is Cause.NO_SUCH_JOB


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        (QueueLimit(rate=Rate(20), concurrency=1), ""),
        (QueueLimit(), ""),
        (QueueLimit(rate=Rate(0)), "its rate is 0 jobs"),
        (QueueLimit(rate=Rate(1.5)), "its rate is 1.5 jobs"),  # type: ignore[arg-type]
        (QueueLimit(rate=Rate(5, per=timedelta(0))), "its rate is per 0 s"),
        (QueueLimit(concurrency=0), "its concurrency is 0"),
        (QueueLimit(concurrency=True), "its concurrency is True"),
    ],
)
def test_limits_that_make_no_sense_are_told(limit: QueueLimit, problem: str):
    assert find_limit_problem(limit).startswith(problem)
    assert bool(find_limit_problem(limit)) is bool(problem)
