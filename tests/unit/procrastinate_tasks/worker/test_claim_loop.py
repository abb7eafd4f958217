"""When the worker claims, and for how many slots: with claims that are noted instead of made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from unittest.mock import AsyncMock, create_autospec, patch

import pytest

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker import claim_loop
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.claim_loop import ClaimLoop, Outlook
from procrastinate_tasks.worker.completion_loop import CompletionLoop
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.registration import Registration


class EmptyQueue:
    """Answers every claim with nothing, and notes how many slots it was for."""

    saw_all = True

    def __init__(self) -> None:
        self.asked_for: list[int] = []
        self.took_along: list[int] = []

    async def claim(self, *, worker_id: int, slots: int, ends: Sequence[object]) -> list[ClaimedJob]:
        self.asked_for.append(slots)
        self.took_along.append(len(ends))
        return []

    async def look_ahead(self) -> Outlook:
        return Outlook(None, False)


class Clock:
    """Stands for the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def make_loop(
    queue: EmptyQueue,
    *,
    concurrency: int,
    free_slots: int,
    ends: int = 0,
    at_hand: int = 0,
    is_overdue: bool = False,
    open_sessions: Callable[[], Awaitable[None]] | None = None,
) -> ClaimLoop:
    children = create_autospec(
        Children, instance=True, free_slots=free_slots, running_count=concurrency - free_slots
    )
    settlements = create_autospec(CompletionLoop, instance=True, is_overdue=is_overdue, at_hand=at_hand)
    settlements.__len__.return_value = ends
    settlements.along = lambda *, most: lend(min(most, at_hand))
    children.start.return_value = []
    registration = create_autospec(Registration, instance=True, worker_id=7)
    claims: Any = queue
    return ClaimLoop(
        options=WorkerOptions(concurrency=concurrency),
        claims=claims,
        children=children,
        pool=create_autospec(Pool, instance=True),
        completions=settlements,
        registration=registration,
        open_sessions=open_sessions or AsyncMock(),
        on_dry=lambda: None,
    )


@contextlib.asynccontextmanager
async def lend(ends: int) -> AsyncIterator[Sequence[object]]:
    yield [object()] * ends


async def turns() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_half_of_many_slots_is_claimed_for_at_a_time_so_that_the_other_half_runs_meanwhile():
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=100, free_slots=100)

    async def scenario() -> None:
        running = asyncio.create_task(loop.run_once())
        await turns()
        running.cancel()

    asyncio.run(scenario())
    assert queue.asked_for == [50]


def test_a_few_slots_are_claimed_for_at_once():
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=20, free_slots=20)

    async def scenario() -> None:
        running = asyncio.create_task(loop.run_once())
        await turns()
        running.cancel()

    asyncio.run(scenario())
    assert queue.asked_for == [20]


@pytest.mark.parametrize(
    ("free_slots", "call", "wakes"),
    [
        (4, ClaimLoop.wake_for_room, False),  # it had room to spare, and found no job for it
        (0, ClaimLoop.wake_for_room, True),
        (4, ClaimLoop.wake, True),
        (0, ClaimLoop.wake, True),
    ],
)
def test_a_free_slot_is_a_reason_to_claim_only_for_a_worker_that_was_full(
    free_slots: int, call: Callable[[ClaimLoop], None], wakes: bool
):
    loop = make_loop(EmptyQueue(), concurrency=4, free_slots=free_slots)
    clock = Clock()

    async def scenario() -> bool:
        running = asyncio.create_task(loop.run_once())
        await turns()
        clock.now += 1
        call(loop)
        await turns()
        has_woken = running.done()
        running.cancel()
        return has_woken

    with patch.object(claim_loop, "time", clock):
        assert asyncio.run(scenario()) is wakes


@pytest.mark.parametrize(("seconds_after_a_claim", "at_once"), [(0.05, True), (0.001, False)])
def test_the_first_news_after_a_quiet_moment_is_followed_at_once_and_a_burst_gathers(
    seconds_after_a_claim: float, at_once: bool
):
    loop = make_loop(EmptyQueue(), concurrency=4, free_slots=4)
    clock = Clock()

    async def scenario() -> bool:
        running = asyncio.create_task(loop.run_once())
        await turns()
        clock.now += seconds_after_a_claim
        loop.wake()
        await turns()
        has_returned = running.done()
        running.cancel()
        return has_returned

    with patch.object(claim_loop, "time", clock), patch("random.uniform", lambda *_: 60):
        assert asyncio.run(scenario()) is at_once


@pytest.mark.parametrize("comes_during_the_claim", [True, False])
def test_news_that_comes_while_a_claim_is_under_way_is_followed_by_another_claim(
    comes_during_the_claim: bool,
):
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=4, free_slots=4)
    clock = Clock()

    async def claim_while_news_comes(**_: Any) -> list[ClaimedJob]:
        if comes_during_the_claim:
            loop.wake()
        clock.now += 1
        return []

    async def scenario() -> bool:
        running = asyncio.create_task(loop.run_once())
        await turns()
        has_returned = running.done()
        running.cancel()
        return has_returned

    queue.claim = claim_while_news_comes  # type: ignore[method-assign]
    loop.wake()
    with patch.object(claim_loop, "time", clock):
        assert asyncio.run(scenario()) is comes_during_the_claim


# --- Nothing is claimed that could not be recorded ----------------------------------------------------------


def asked_within_some_turns(loop: ClaimLoop, queue: EmptyQueue) -> list[int]:
    async def scenario() -> None:
        running = asyncio.create_task(loop.run_once())
        await turns()
        running.cancel()

    asyncio.run(scenario())
    return queue.asked_for


@pytest.mark.parametrize(("ends", "slots"), [(0, [4]), (1, [3]), (3, [1]), (4, []), (6, [])])
def test_an_end_that_is_not_recorded_keeps_its_slot(ends: int, slots: list[int]):
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=4, free_slots=4, ends=ends)

    assert asked_within_some_turns(loop, queue) == slots


@pytest.mark.parametrize(
    ("ends", "at_hand", "asked_for", "took_along"),
    [(4, 4, [4], [4]), (4, 1, [1], [1]), (3, 2, [3], [2])],  # the others are on their way already
)
def test_a_claim_takes_ends_along_and_fills_their_slots(
    ends: int, at_hand: int, asked_for: list[int], took_along: list[int]
):
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=4, free_slots=4, ends=ends, at_hand=at_hand)

    asked_within_some_turns(loop, queue)

    assert (queue.asked_for, queue.took_along) == (asked_for, took_along)


def test_no_end_is_left_to_a_claim_after_one_that_failed():
    queue = EmptyQueue()
    open_sessions = AsyncMock(side_effect=[OSError("no place left"), None])
    loop = make_loop(queue, concurrency=4, free_slots=4, ends=1, at_hand=1, open_sessions=open_sessions)

    with pytest.raises(OSError, match="no place left"):
        asyncio.run(loop.run_once())

    assert loop.wake_for_room() is False
    assert asked_within_some_turns(loop, queue) == [3]
    assert queue.took_along == [0]


def test_a_loop_that_was_closed_claims_nothing_and_leaves_no_end_to_a_claim():
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=4, free_slots=0)
    asyncio.run(loop.close())

    assert asked_within_some_turns(loop, queue) == []
    assert loop.wake_for_room() is False


def test_nothing_is_claimed_while_an_end_waits_for_too_long():
    queue = EmptyQueue()
    loop = make_loop(queue, concurrency=4, free_slots=4, is_overdue=True)

    assert asked_within_some_turns(loop, queue) == []


def test_nothing_is_claimed_without_a_session_to_record_with_and_that_is_remembered():
    queue = EmptyQueue()
    open_sessions = AsyncMock(side_effect=[OSError("no place left"), OSError("no place left"), None])
    loop = make_loop(queue, concurrency=4, free_slots=4, open_sessions=open_sessions)
    clock = Clock()

    with patch.object(claim_loop, "time", clock):
        for _ in range(2):
            with pytest.raises(OSError, match="no place left"):
                asyncio.run(loop.run_once())
            clock.now += 5

        assert (queue.asked_for, loop.fails_since) == ([], 1000.0)
        assert asked_within_some_turns(loop, queue) == [4]
        assert loop.fails_since is None
