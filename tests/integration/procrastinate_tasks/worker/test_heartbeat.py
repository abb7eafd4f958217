"""What one beat writes, and what it brings back: of the worker that beats, and of no other."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from procrastinate_tasks.models import JobStack, LiveWorker
from tests.integration.procrastinate_tasks.claiming import claim, execute, register_worker, run
from tests.workers.workers import insert_jobs, query

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.remember"


@pytest.fixture(autouse=True)
def _two_silent_workers_without_jobs() -> None:
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


def silent_worker() -> int:
    worker_id = register_worker()
    execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")
    return worker_id


def beat(worker_id: int, **told: Any) -> tuple[bool, list[int], dict[str, int], list[int]]:
    nothing_wrong: dict[str, Any] = {
        "running": 0,
        "memory_bytes": 0,
        "refusal": "",
        "unrecorded": 0,
        "unrecorded_seconds": None,
        "claims_fail_seconds": None,
        "host_time": time.time(),
    }
    ((is_registered, to_abort, held, stacks_asked),) = run(
        "worker/heartbeat", worker_id=worker_id, **{**nothing_wrong, **told}
    )
    return is_registered, to_abort, held, stacks_asked


def test_a_beat_brings_back_what_its_worker_runs_and_what_of_that_shall_stop():
    ours, theirs = silent_worker(), silent_worker()
    running, stopping, ended = insert_jobs(TASK, count=3)
    assert sorted(claim(3, worker_id=ours)) == [running, stopping, ended]
    execute("UPDATE procrastinate_jobs SET attempts = 4 WHERE id = %s", running)
    execute("UPDATE procrastinate_jobs SET abort_requested = true WHERE id = %s", stopping)
    execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", ended)
    others = insert_jobs(TASK, count=2)
    assert sorted(claim(2, worker_id=theirs)) == others

    assert beat(ours) == (True, [stopping], {str(running): 4, str(stopping): 0}, [])


def test_a_beat_brings_back_whose_stack_was_asked_of_late_and_not_told_yet():
    ours, theirs = silent_worker(), silent_worker()
    asked, told, too_old = insert_jobs(TASK, count=3)
    claim(3, worker_id=ours)
    (of_another,) = insert_jobs(TASK)
    claim(1, worker_id=theirs)
    now = timezone.now()
    for job_id in (asked, told, too_old, of_another):
        JobStack.objects.create(job_id=job_id, asked_at=now)
    JobStack.objects.filter(job_id=told).update(answered_at=now)
    JobStack.objects.filter(job_id=too_old).update(asked_at=now - timedelta(minutes=2))

    assert beat(ours)[-1] == [asked]


def test_a_beat_is_its_own_worker_s_and_no_other_s():
    ours, theirs = silent_worker(), silent_worker()

    beat(ours, running=3, unrecorded=1, unrecorded_seconds=60.0, claims_fail_seconds=30.0)

    mine, other = (LiveWorker.objects.get(worker_id=each) for each in (ours, theirs))
    assert (mine.running, other.running) == (3, 0)
    assert mine.unrecorded_since is not None and mine.claims_fail_since is not None
    assert 29 < (mine.claims_fail_since - mine.unrecorded_since).total_seconds() < 31
    assert mine.clock_skew is not None and abs(mine.clock_skew.total_seconds()) < 5
    assert silent_workers() == [theirs]


def test_a_beat_of_a_worker_whose_row_is_gone_says_so():
    assert beat(12345) == (False, [], {}, [])


def silent_workers() -> list[int]:
    rows = query("SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - interval '1 minute'")
    return [row[0] for row in rows]
