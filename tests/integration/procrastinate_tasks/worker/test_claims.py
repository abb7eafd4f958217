"""Claims one after another on a worker's connection: each begins where the last one ended, for a moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from unittest.mock import create_autospec, patch

import pytest
from django.db import connections
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker import claim_loop
from procrastinate_tasks.worker.claim_loop import Claims, Passed
from procrastinate_tasks.worker.completion_loop import CompletionLoop
from procrastinate_tasks.worker.connection import WorkerConnection
from tests.integration.procrastinate_tasks.claiming import execute, register_worker
from tests.workers.workers import insert_jobs

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.remember"
Claim = Callable[[int], Coroutine[Any, Any, list[int]]]


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")


class Clock:
    """Stands for the module ``time``: each look is a thousandth of a second later."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now


def claiming(
    work: Callable[[Claim, Claims, Clock], Coroutine[Any, Any, None]],
    *,
    queues: tuple[str, ...] | None = None,
) -> None:
    """Run what claims, on a clock of its own."""
    worker_id = register_worker()
    clock = Clock()

    async def scenario() -> None:
        link = WorkerConnection(alias="default", purpose="test")
        completions = CompletionLoop(link, delete_jobs=DeleteJobCondition.NEVER)
        claims = Claims(link, queues=None, task_names=[TASK])

        async def claim(slots: int) -> list[int]:
            async with completions.along(most=0) as ends:
                jobs = await claims.claim(worker_id=worker_id, slots=slots, ends=ends)
            return [job.job_id for job in jobs]

        try:
            await work(claim, claims, clock)
        finally:
            await link.close()

    with patch.object(claim_loop, "time", clock):
        asyncio.run(scenario())


async def in_django(work: Callable[[], Any]) -> Any:
    def and_close() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    return await asyncio.to_thread(and_close)


def put_back(job_id: int) -> None:
    execute("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE id = %s", job_id)


def test_claims_one_after_another_take_each_job_once_in_order():
    low = insert_jobs(TASK, count=3, priority=-1)
    usual = insert_jobs(TASK, count=5)
    other = insert_jobs(TASK, count=2, queue="other", priority=2)

    async def work(claim: Claim, claims: Claims, _: Clock) -> None:
        claimed = [await claim(2) for _ in range(6)]  # after the first a look at its queue alone, in vain
        assert [job_id for each in claimed for job_id in each] == [*other, *usual, *low]
        assert await claim(2) == []
        assert claims.saw_all is False
        assert await claim(2) == []
        assert claims.saw_all is True

    claiming(work)


def test_an_urgent_job_that_comes_later_is_claimed_next():
    usual = insert_jobs(TASK, count=6)

    async def work(claim: Claim, claims: Claims, _: Clock) -> None:
        assert await claim(2) == usual[:2]
        (urgent,) = await in_django(lambda: insert_jobs(TASK, priority=5))
        assert await claim(2) == [urgent, usual[2]]
        assert await claim(2) == usual[3:5]
        assert claims.saw_all is False

    claiming(work)


@pytest.mark.parametrize("kind", ["locked", "due"])
def test_a_job_with_a_lock_or_a_time_that_comes_later_is_claimed_in_its_turn(kind: str):
    usual = insert_jobs(TASK, count=4)
    columns = {"locked": "lock = 'one'", "due": "scheduled_at = now()"}[kind]

    async def work(claim: Claim, claims: Claims, _: Clock) -> None:
        assert await claim(1) == usual[:1]
        assert await claim(1) == usual[1:2]
        await in_django(lambda: put_back(usual[0]))
        await in_django(lambda: execute(f"UPDATE procrastinate_jobs SET {columns} WHERE id = {usual[0]}"))
        assert await claim(1) == usual[:1]
        assert claims.saw_all is False

    claiming(work)


def test_a_job_that_is_put_back_is_seen_after_a_moment_and_at_once_when_too_few_wait():
    usual = insert_jobs(TASK, count=5)

    async def work(claim: Claim, claims: Claims, clock: Clock) -> None:
        assert await claim(1) == usual[:1]
        await in_django(lambda: put_back(usual[0]))
        assert await claim(1) == usual[1:2]
        clock.now += 1
        assert await claim(1) == usual[:1]
        await in_django(lambda: put_back(usual[0]))
        assert await claim(4) == usual[2:]
        assert claims.saw_all is False  # so the loop claims again instead of resting
        assert await claim(4) == usual[:1]

    claiming(work)


def test_a_look_at_all_that_is_dear_counts_for_longer_within_bounds():
    job = create_autospec(ClaimedJob, job_id=1, queue_name="q", priority=0, lock=None, scheduled_at=None)

    def pause_after(seconds: float) -> float:
        passed, clock = Passed(), Clock()
        with patch.object(claim_loop, "time", clock):
            passed.look()
            passed.note([job], is_full=True, seconds=seconds)
            began = clock.now
            steps = itertools.takewhile(lambda _: passed.look()["past_ids"], itertools.count())
            sum(1 for _ in steps)
            return clock.now - began

    assert [round(pause_after(seconds), 1) for seconds in (0.001, 0.05, 3.0)] == [0.1, 0.5, 1.0]
