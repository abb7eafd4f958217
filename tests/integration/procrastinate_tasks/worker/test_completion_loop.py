"""Ends on their way into a real database: refused, clashing, claimed again, or of a row that tells more."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connections
from procrastinate.jobs import DeleteJobCondition

from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.models import JobAttempt
from procrastinate_tasks.worker import completion_loop as settlements_module
from procrastinate_tasks.worker.claim_loop import ClaimRefused, Claims
from procrastinate_tasks.worker.completion_loop import LONGEST_WAIT_SECONDS, CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from tests.integration.procrastinate_tasks.claiming import claim, execute, register_worker
from tests.workers.workers import attempts_of, insert_jobs, outcomes_of, query, status_of

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.remember"


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    execute("TRUNCATE procrastinate_jobs, procrastinate_workers, procrastinate_tasks_jobattempt CASCADE")


@pytest.fixture
def worker_id() -> int:
    return register_worker()


def claimed(count: int, *, worker_id: int, attempts: int = 0) -> list[int]:
    job_ids = insert_jobs(TASK, count=count)
    execute("UPDATE procrastinate_jobs SET attempts = %s", attempts)
    assert sorted(claim(count, worker_id=worker_id)) == job_ids
    return job_ids


def end_of(job_id: int, *, worker_id: int, **columns: Any) -> Completion:
    succeeded: dict[str, Any] = {
        "status": "succeeded",
        "outcome": "succeeded",
        "task_name": TASK,
        "queue_name": "default",
        "started_at": 1.0,
        "finished_at": 2.0,
        "attempts": 0,
    }
    return Completion(job_id=job_id, worker_id=worker_id, **{**succeeded, **columns})


def retry_of(job_id: int, *, worker_id: int, **columns: Any) -> Completion:
    return end_of(job_id, worker_id=worker_id, status="todo", outcome="retrying", **columns)


def with_settlements(work: Callable[[CompletionLoop, WorkerConnection], Coroutine[Any, Any, None]]) -> None:
    async def scenario() -> None:
        link = WorkerConnection(alias="default", purpose="test")
        try:
            await work(CompletionLoop(link, delete_jobs=DeleteJobCondition.NEVER), link)
        finally:
            await link.close()

    asyncio.run(scenario())


def settle(*ends: Completion) -> None:
    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        completions.add(Waiting(end) for end in ends)
        await completions.run_once()
        assert completions.is_empty

    with_settlements(work)


@contextmanager
def refusing(condition: str, *, code: str = "P0001") -> Iterator[None]:
    """A project's trigger that refuses some changes of a job."""
    execute(
        "CREATE FUNCTION refuse_end() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {condition} THEN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END IF;"
        " RETURN new; END $$;"
        " CREATE TRIGGER refuse_end BEFORE UPDATE ON procrastinate_jobs"
        " FOR EACH ROW EXECUTE FUNCTION refuse_end()"
    )
    try:
        yield
    finally:
        execute("DROP FUNCTION refuse_end CASCADE")


@pytest.mark.parametrize(
    "columns",
    [
        {"priority": 10**12},
        {"queue": "q" * 129},
        {"queue": "q" * 41},  # no channel of that length can be notified
        {"lock": "".join(map(str, range(10_000)))},  # no entry of an index is as long
        {"lock": "\x00"},
        {"lock": "\ud800"},
        {"lock": object()},
        {"retry_at": "soon"},
        {"message": "\x00"},
        {"exception_class": "x" * 201},
        {"fingerprint": "x" * 17},
    ],
    ids=lambda columns: next(iter(columns)),
)
def test_one_end_that_cannot_be_stored_fails_alone_in_our_words(columns: dict[str, Any], worker_id: int):
    job_ids = claimed(5, worker_id=worker_id)
    bad, *fine = job_ids
    settle(
        retry_of(bad, worker_id=worker_id, **columns), *(end_of(each, worker_id=worker_id) for each in fine)
    )

    assert [status_of(job_id) for job_id in fine] == ["succeeded"] * 4
    assert status_of(bad) == "failed"
    assert outcomes_of(bad)[0][:2] == ("failed", "procrastinate_tasks.exceptions.EndRefused")


@pytest.mark.parametrize("result", ["[" * 100_000 + "]" * 100_000, '"\\u0000"', "not JSON", "9" * 200_000])
def test_a_run_that_succeeded_stays_succeeded_whatever_it_returned(result: str, worker_id: int):
    bad, fine = claimed(2, worker_id=worker_id)

    settle(end_of(bad, worker_id=worker_id, result=result), end_of(fine, worker_id=worker_id, result='"r"'))

    assert [status_of(bad), status_of(fine)] == ["succeeded", "succeeded"]
    assert "could not be stored" in str(JobAttempt.objects.get(job_id=bad).result)
    assert JobAttempt.objects.get(job_id=fine).result == "r"


@pytest.mark.parametrize(("attempts", "then", "told"), [(2**31 - 1,) * 3, (-7, -6, 1), (-1, 0, 1), (1, 2, 2)])
def test_a_job_ends_whatever_somebody_made_of_its_attempts(
    attempts: int, then: int, told: int, worker_id: int
):
    (job_id,) = claimed(1, worker_id=worker_id, attempts=attempts)

    settle(end_of(job_id, worker_id=worker_id, attempts=attempts))

    assert (status_of(job_id), attempts_of(job_id)) == ("succeeded", then)
    assert JobAttempt.objects.get(job_id=job_id).attempt == told


def test_of_a_run_that_never_began_the_job_s_row_tells_task_and_queue(worker_id: int):
    (job_id,) = claimed(1, worker_id=worker_id)

    settle(retry_of(job_id, worker_id=worker_id, task_name="", queue_name=""))

    attempt = JobAttempt.objects.get(job_id=job_id)
    assert (attempt.task_name, attempt.queue_name) == (TASK, "default")


@pytest.mark.parametrize("code", ["P0001", "42501", "XX001"])
def test_an_end_that_is_refused_in_every_form_is_kept_apart_counted_told_once_and_tried_again(
    code: str, worker_id: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    bad, fine = claimed(2, worker_id=worker_id)
    monkeypatch.setattr(settlements_module, "_APART_SECONDS", 0.01)

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        completions.add(Waiting(end_of(each, worker_id=worker_id)) for each in (bad, fine))
        await completions.run_once()
        await completions.run_once()
        assert (len(completions), completions.job_ids(), completions.is_overdue) == (1, {bad}, False)
        assert completions.is_empty
        assert completions.waits_since is not None
        await asyncio.to_thread(allow)
        await completions.run_once()
        assert len(completions) == 0

    with refusing(f"new.id = {bad} AND old.status = 'doing'", code=code):
        with_settlements(work)

    assert [status_of(bad), status_of(fine)] == ["succeeded", "succeeded"]
    assert [record.getMessage() for record in caplog.records if f"job {bad}" in record.getMessage()] == [
        f"The database refuses every end of job {bad}, which ran. It keeps its slot, and its end is tried"
        " again every 0.01 s"
    ]


def test_an_end_kept_apart_is_tried_again_in_its_time_however_much_else_is_recorded(
    worker_id: int, monkeypatch: pytest.MonkeyPatch
):
    bad, *fine = claimed(4, worker_id=worker_id)
    monkeypatch.setattr(settlements_module, "_APART_SECONDS", 0.2)

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        completions.add([Waiting(end_of(bad, worker_id=worker_id))])
        await completions.run_once()
        await asyncio.to_thread(allow)
        completions.add([Waiting(end_of(fine[0], worker_id=worker_id))])
        await completions.run_once()
        assert completions.job_ids() == {bad}
        await asyncio.sleep(0.2)
        completions.add([Waiting(end_of(fine[1], worker_id=worker_id))])
        await completions.run_once()
        assert completions.job_ids() == set()

    with refusing(f"new.id = {bad} AND old.status = 'doing'"):
        with_settlements(work)

    assert status_of(bad) == "succeeded"


def allow() -> None:
    execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER refuse_end")
    connections.close_all()


def test_a_fault_of_the_database_keeps_what_it_did_not_confirm_and_no_more(worker_id: int):
    job_ids = claimed(3, worker_id=worker_id)
    bad = job_ids[0]
    answers = itertools.count()

    async def work(completions: CompletionLoop, link: WorkerConnection) -> None:
        fetch = link.fetch

        async def fetch_until_the_third_answer(*arguments: Any, **options: Any) -> Any:
            rows = await fetch(*arguments, **options)
            if next(answers) == 1:
                raise psycopg.OperationalError("the connection is lost")
            return rows

        link.fetch = fetch_until_the_third_answer  # type: ignore[method-assign]
        completions.add(
            Waiting(end)
            for end in (
                retry_of(bad, worker_id=worker_id, priority=10**12),
                *(end_of(each, worker_id=worker_id) for each in job_ids[1:]),
            )
        )
        with pytest.raises(psycopg.OperationalError):
            await completions.run_once()
        assert not completions.is_empty
        await completions.run_once()
        assert completions.is_empty

    with_settlements(work)

    assert [status_of(job_id) for job_id in job_ids] == ["failed", "succeeded", "succeeded"]
    assert [len(outcomes_of(job_id)) for job_id in job_ids] == [1, 1, 1]


def test_an_end_whose_confirmation_was_lost_is_dropped_when_its_job_is_claimed_again(worker_id: int):
    (job_id,) = claimed(1, worker_id=worker_id)
    given_back = end_of(
        job_id, worker_id=worker_id, status="todo", outcome="interrupted", counts_attempt=False
    )
    settle(given_back)
    assert claim(1, worker_id=worker_id) == [job_id]

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        completions.add([Waiting(given_back), Waiting(end_of(0, worker_id=worker_id))])
        completions.forget({job_id})
        await completions.run_once()

    with_settlements(work)

    assert status_of(job_id) == "doing"


def test_an_end_waits_for_too_long_after_some_seconds_and_then_no_more(
    worker_id: int, monkeypatch: pytest.MonkeyPatch
):
    (job_id,) = claimed(1, worker_id=worker_id)

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        now = time.monotonic()
        completions.add([Waiting(end_of(job_id, worker_id=worker_id))])
        assert not completions.is_overdue
        with monkeypatch.context() as later:
            later.setattr(time, "monotonic", lambda: now + LONGEST_WAIT_SECONDS + 1)
            assert completions.is_overdue
        await completions.run_once()
        assert not completions.is_overdue

    with_settlements(work)


def test_what_cannot_be_settled_through_its_own_session_is_settled_through_another(worker_id: int):
    job_ids = claimed(250, worker_id=worker_id)

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        other = WorkerConnection(alias="default", purpose="other")
        completions.add(Waiting(end_of(each, worker_id=worker_id)) for each in job_ids)
        await completions.settle_through(other)
        assert completions.is_empty
        await other.close()

    with_settlements(work)

    assert query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'") == [(250,)]


# --- Ends that a claim takes along --------------------------------------------------------------------------


async def claim_along(
    completions: CompletionLoop, link: WorkerConnection, *, worker_id: int, slots: int
) -> int:
    """Claim as the worker does; say how many ends went along, with as many jobs."""
    claims = Claims(link, queues=None, task_names=[TASK])
    async with completions.along(most=100) as ends:
        claimed = await claims.claim(worker_id=worker_id, slots=slots, ends=ends)
        assert len(claimed) == slots
    return len(ends)


def test_ends_and_the_claim_that_takes_them_along_are_one_transaction(worker_id: int):
    ended = claimed(2, worker_id=worker_id)
    waiting = insert_jobs(TASK, count=2)

    async def work(completions: CompletionLoop, link: WorkerConnection) -> None:
        completions.add((Waiting(end_of(each, worker_id=worker_id)) for each in ended), left_to_claim=True)
        assert await claim_along(completions, link, worker_id=worker_id, slots=2) == 2
        assert len(completions) == 0

    with_settlements(work)

    assert [status_of(job_id) for job_id in ended + waiting] == ["succeeded"] * 2 + ["doing"] * 2
    ((transactions,),) = query(
        "SELECT count(DISTINCT xmin::text) FROM procrastinate_jobs WHERE id = ANY(%s)", ended + waiting
    )
    assert transactions == 1


def test_a_claim_sees_the_lock_that_an_end_it_took_along_set_free(worker_id: int):
    first, second = insert_jobs(TASK, count=2, lock="one at a time")
    assert claim(2, worker_id=worker_id) == [first]

    async def work(completions: CompletionLoop, link: WorkerConnection) -> None:
        completions.add([Waiting(end_of(first, worker_id=worker_id))], left_to_claim=True)
        await claim_along(completions, link, worker_id=worker_id, slots=1)

    with_settlements(work)

    assert [status_of(first), status_of(second)] == ["succeeded", "doing"]


def test_when_an_end_is_refused_that_went_along_nothing_is_claimed_and_ends_are_recorded_by_themselves(
    worker_id: int,
):
    bad, fine = claimed(2, worker_id=worker_id)
    (waiting,) = insert_jobs(TASK)

    async def work(completions: CompletionLoop, link: WorkerConnection) -> None:
        ends = [retry_of(bad, worker_id=worker_id, priority=10**12), end_of(fine, worker_id=worker_id)]
        completions.add(map(Waiting, ends), left_to_claim=True)
        await claim_along(completions, link, worker_id=worker_id, slots=1)
        assert (len(completions), completions.at_hand) == (2, 0)
        assert await asyncio.to_thread(status_of_on_its_own, waiting) == "todo"
        await completions.run_once()
        assert (len(completions), completions.at_hand) == (0, 0)
        completions.add([Waiting(end_of(0, worker_id=worker_id))], left_to_claim=True)
        assert completions.at_hand == 1

    with_settlements(work)

    assert [status_of(bad), status_of(fine)] == ["failed", "succeeded"]


def status_of_on_its_own(job_id: int) -> str:
    try:
        return status_of(job_id)
    finally:
        connections.close_all()


def test_a_claim_that_is_refused_for_its_worker_leaves_its_ends_to_wait(worker_id: int):
    (job_id,) = claimed(1, worker_id=worker_id)
    insert_jobs(TASK)

    async def work(completions: CompletionLoop, link: WorkerConnection) -> None:
        completions.add([Waiting(end_of(job_id, worker_id=worker_id))], left_to_claim=True)
        with pytest.raises(ClaimRefused):
            await claim_along(completions, link, worker_id=worker_id + 1, slots=1)
        assert completions.at_hand == 1
        await claim_along(completions, link, worker_id=worker_id, slots=1)

    with_settlements(work)

    assert len(outcomes_of(job_id)) == 1


def test_while_a_claim_is_on_its_way_others_are_recorded_and_no_end_is_sent_twice(worker_id: int):
    first, second = claimed(2, worker_id=worker_id)

    async def work(completions: CompletionLoop, _: WorkerConnection) -> None:
        completions.add([Waiting(end_of(first, worker_id=worker_id))], left_to_claim=True)
        async with completions.along(most=100) as ends:
            completions.add([Waiting(end_of(second, worker_id=worker_id))])
            await completions.run_once()
            assert (len(ends), completions.job_ids()) == (1, {first})
        await completions.settle_through(completions._link)

    with_settlements(work)

    assert [len(outcomes_of(job_id)) for job_id in (first, second)] == [1, 1]
