"""A worker whose row is gone registers anew: it takes over what it runs, and what has ended and waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any
from unittest.mock import create_autospec, patch

import pytest
from django.db import connections
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs.rescue import RescueReport, run_once
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.maintenance import Routines, Upkeep
from procrastinate_tasks.worker.messages import Channel
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.registration import Registration
from tests.integration.procrastinate_tasks.claiming import claim, execute
from tests.integration.procrastinate_tasks.worker.test_completion_loop import TASK, end_of
from tests.workers.workers import attempts_of, insert_jobs, outcomes_of, query, status_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_tasks_jobattempt CASCADE")


def registered(
    work: Callable[[Registration, CompletionLoop], Coroutine[Any, Any, None]],
    *,
    lost_worker_ids: Sequence[int] = (),
) -> None:
    """Does something with the registration of a worker without processes."""

    async def scenario() -> None:
        link = WorkerConnection(alias="default", purpose="test")
        options = WorkerOptions()
        upkeep = Upkeep(Routines([]))
        completions = CompletionLoop(link, delete_jobs=DeleteJobCondition.NEVER)
        registration = Registration(
            link,
            options=options,
            children=Children(options, on_ends=lambda child, ends: None),
            completions=completions,
            pool=create_autospec(Pool, instance=True),
            upkeep=upkeep,
            channel=create_autospec(Channel, instance=True),
            lost_worker_ids=list(lost_worker_ids),
        )
        try:
            await registration.ensure()
            await work(registration, completions)
        finally:
            upkeep.close()
            await link.close()

    asyncio.run(scenario())


async def in_database(call: Callable[[], Any]) -> Any:
    def work() -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(work)


def claimed_by(worker_id: int | None) -> int:
    (job_id,) = insert_jobs(TASK)
    assert claim(1, worker_id=worker_id) == [job_id]
    return job_id


def prune_workers() -> None:
    execute("DELETE FROM procrastinate_workers")


def test_ends_that_wait_are_taken_over_so_that_nobody_rescues_their_jobs():
    async def work(registration: Registration, completions: CompletionLoop) -> None:
        old_id = await registration.ensure()
        job_id = await in_database(lambda: claimed_by(old_id))
        completions.add([Waiting(end_of(job_id, worker_id=old_id))])
        await in_database(prune_workers)

        await registration.renew(old_id)

        assert registration.worker_id != old_id
        assert await in_database(run_once) == RescueReport()
        await completions.run_once()
        assert completions.is_empty

    registered(work)

    ((job_id,),) = query("SELECT id FROM procrastinate_jobs")
    assert status_of(job_id) == "succeeded"
    assert [row[0] for row in outcomes_of(job_id)] == ["succeeded"]


def test_an_end_of_a_job_that_others_rescued_meanwhile_is_not_taken_over():
    async def work(registration: Registration, completions: CompletionLoop) -> None:
        old_id = await registration.ensure()
        job_id = await in_database(lambda: claimed_by(old_id))
        completions.add([Waiting(end_of(job_id, worker_id=old_id))])
        await in_database(prune_workers)
        assert (await in_database(run_once)).run_again == (job_id,)

        await registration.renew(old_id)
        await completions.run_once()

        assert completions.is_empty

    registered(work)

    ((job_id,),) = query("SELECT id FROM procrastinate_jobs")
    assert status_of(job_id) == "todo"
    assert [row[0] for row in outcomes_of(job_id)] == ["crashed"]


def test_a_worker_renews_only_when_no_end_is_on_its_way():
    async def work(registration: Registration, completions: CompletionLoop) -> None:
        old_id = await registration.ensure()
        await in_database(prune_workers)
        async with completions.paused():  # as a statement does that may still carry the old id
            renewal = asyncio.create_task(registration.renew(old_id))
            done, _ = await asyncio.wait([renewal], timeout=0.2)
            assert not done
            assert registration.worker_id == old_id
        await renewal
        assert registration.worker_id != old_id

    registered(work)


def test_a_worker_that_parts_takes_no_row_but_its_own_away():
    async def work(registration: Registration, _: CompletionLoop) -> None:
        await in_database(lambda: execute("INSERT INTO procrastinate_workers DEFAULT VALUES"))

        await registration.leave()

    registered(work)

    assert query("SELECT count(*) FROM procrastinate_workers") == [(1,)]


def test_after_it_has_parted_no_late_beat_makes_it_a_living_worker_again():
    async def scenario(registration: Registration, completions: CompletionLoop) -> None:
        worker_id = registration.worker_id
        assert worker_id is not None

        await registration.leave()
        await registration.renew(worker_id)
        await registration.ensure()

        assert await in_database(lambda: query("SELECT id FROM procrastinate_workers")) == []

    registered(scenario)


def test_a_worker_that_parts_gives_back_what_did_not_end_and_nothing_that_did():
    async def work(registration: Registration, completions: CompletionLoop) -> None:
        worker_id = await registration.ensure()
        ended = await in_database(lambda: claimed_by(worker_id))
        await in_database(lambda: claimed_by(worker_id))
        completions.add([Waiting(end_of(ended, worker_id=worker_id))])

        await registration.leave()

    registered(work)

    ended, unfinished = (row[0] for row in query("SELECT id FROM procrastinate_jobs ORDER BY id"))
    assert (status_of(ended), outcomes_of(ended)) == ("doing", [])
    assert (status_of(unfinished), attempts_of(unfinished)) == ("todo", 0)
    assert [row[0] for row in outcomes_of(unfinished)] == ["interrupted"]
    assert query("SELECT count(*) FROM procrastinate_workers") == [(0,)]


def test_a_worker_that_parts_without_its_upkeep_gives_back_what_never_began_and_records_what_ended():
    async def work(registration: Registration, completions: CompletionLoop) -> None:
        worker_id = await registration.ensure()
        ended = await in_database(lambda: claimed_by(worker_id))
        await in_database(lambda: claimed_by(worker_id))
        completions.add([Waiting(end_of(ended, worker_id=worker_id))])

        with (
            patch.object(Upkeep, "call", side_effect=ConnectionError("no place left")),
            pytest.raises(ConnectionError, match="no place left"),
        ):
            await registration.leave()

    registered(work)

    ended, unanswered = (row[0] for row in query("SELECT id FROM procrastinate_jobs ORDER BY id"))
    assert status_of(ended) == "succeeded"
    assert (status_of(unanswered), attempts_of(unanswered)) == ("todo", 0)
    assert [row[0] for row in outcomes_of(unanswered)] == ["interrupted"]


def test_a_worker_gives_back_what_a_dead_predecessor_held_before_it_has_an_id():
    execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    ((predecessor,),) = query("SELECT id FROM procrastinate_workers")
    job_id = claimed_by(predecessor)

    async def work(registration: Registration, _: CompletionLoop) -> None:
        assert registration.worker_id is not None

    registered(work, lost_worker_ids=[predecessor])

    assert (status_of(job_id), attempts_of(job_id)) == ("todo", 0)
    assert outcomes_of(job_id)[0][:2] == ("interrupted", "procrastinate_tasks.exceptions.WorkerDied")
    assert query("SELECT count(*) FROM procrastinate_workers WHERE id = %s", predecessor) == [(0,)]
