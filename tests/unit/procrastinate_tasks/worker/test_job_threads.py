"""Sync jobs start at once, in as few threads as can run them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import Barrier, Event

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.child.slots import JobThreads, RunInSlot, Slot
from procrastinate_tasks.worker.options import TimeLimits

PATIENCE = 10.0


def assignment(job_id: int) -> ClaimedJob:
    return ClaimedJob(job_id, "engine.no_op", "default", 0, None, None, "{}", None, 0, 1, 0)


def submit_one_by_one(threads: JobThreads, *, jobs: int, ended: Event) -> None:
    for number in range(jobs):
        ended.clear()
        threads.submit(Slot(index=number), assignment(number))
        assert ended.wait(PATIENCE)


def recording(seen: list[int], then: Callable[[], object]) -> RunInSlot:
    def run(slot: Slot, assignment: ClaimedJob) -> None:
        seen.append(threading.get_ident())
        then()

    return run


def test_jobs_that_wait_for_each_other_all_run():
    all_there, released = Barrier(6), Event()

    def meet() -> None:
        all_there.wait(PATIENCE)
        released.wait(PATIENCE)

    seen: list[int] = []
    threads = JobThreads(recording(seen, meet), most=5)
    for number in range(5):
        threads.submit(Slot(index=number), assignment(number))

    all_there.wait(PATIENCE)
    released.set()
    assert len(set(seen)) == 5


def test_jobs_one_after_the_other_share_a_thread_or_two():
    ended = Event()
    seen: list[int] = []
    threads = JobThreads(recording(seen, ended.set), most=50)

    submit_one_by_one(threads, jobs=50, ended=ended)

    # The next job may come while the thread of the last one still has its last step to go.
    assert len(seen) == 50
    assert len(set(seen)) <= 5


def test_a_slot_knows_the_connections_of_the_thread_that_runs_its_job():
    ended = Event()
    sets = []

    def run(slot: Slot, assignment: ClaimedJob) -> None:
        sets.append(slot.connections)
        ended.set()

    threads = JobThreads(run, most=1)

    submit_one_by_one(threads, jobs=2, ended=ended)

    assert sets[0] is sets[1]


def test_a_slot_whose_job_is_new_has_the_connections_of_its_own_async_jobs_again():
    slot = Slot(index=0)
    slot.connections = set()

    slot.occupy(assignment(1), TimeLimits(soft=None, hard=None))

    assert slot.connections is slot.async_connections
