"""What a worker hears between beats, and what it makes of jobs that it holds without knowing of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import create_autospec

import pytest
from psycopg import Notify

from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.heartbeat import Beat, ClaimAudit, Heartbeat
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool

WORKER = 7


class Session:
    """A connection that notes what it executes, and has these notifications waiting."""

    def __init__(self, *payloads: str) -> None:
        self.executed: list[Any] = []
        self._payloads = payloads

    async def execute(self, query: Any) -> None:
        self.executed.append(query)

    async def notifies(self, *, timeout: float) -> AsyncIterator[Notify]:
        for payload in self._payloads:
            yield Notify("channel", payload, 1)


def listen(
    sessions: Iterable[Session], *, queues: tuple[str, ...] | None = None
) -> tuple[int, list[list[int]]]:
    """Listen once on each of these sessions; return how often a look was asked for, and what shall stop."""
    looks: list[None] = []
    stopped: list[list[int]] = []
    link = create_autospec(WorkerConnection, instance=True)
    beats = Heartbeat(
        link,
        options=WorkerOptions(queues=queues, orphaned_after=timedelta(milliseconds=1)),
        children=create_autospec(Children, instance=True),
        on_job=lambda: looks.append(None),
        on_abort=stopped.append,
    )

    async def scenario() -> None:
        for session in sessions:
            link.connection = _lending(session)
            await beats.listen()

    asyncio.run(scenario())
    return len(looks), stopped


def _lending(session: Session) -> Any:
    @asynccontextmanager
    async def lend(*, within: timedelta) -> AsyncIterator[Session]:
        yield session

    return lend


def test_who_begins_to_listen_looks_at_the_queue_for_what_came_while_nobody_listened():
    assert listen([Session()]) == (1, [])


def test_a_session_is_subscribed_once_to_each_channel_and_the_next_one_again():
    first, second = Session(), Session()

    looks, _ = listen([first, first, second], queues=("mail", "bank"))

    assert looks == 2
    assert [len(first.executed), len(second.executed)] == [2, 2]


def test_news_of_a_job_asks_for_a_look_and_a_wish_to_stop_one_for_its_end():
    session = Session('{"type": "job_inserted", "job_id": 1}', '{"type": "abort_job_requested", "job_id": 2}')

    assert listen([session]) == (2, [[2]])


# --- Jobs held without knowing of them ----------------------------------------------------------------------


class Audited:
    """A worker that runs some jobs, and has the ends of others on their way."""

    def __init__(self, *, runs: Iterable[int] = (), records: Iterable[int] = ()) -> None:
        self.children = create_autospec(Children, instance=True)
        self.children.attempts_by_job.return_value = dict.fromkeys(runs, 0)
        self.children.started_before.return_value = set(runs)
        self.completions = create_autospec(CompletionLoop, instance=True)
        self.completions.job_ids.return_value = set(records)
        self.given_back: list[Waiting] = []
        self.completions.add.side_effect = self.given_back.extend
        self.pool = create_autospec(Pool, instance=True)
        self._audit = ClaimAudit(children=self.children, completions=self.completions, pool=self.pool)

    def beats(self, *held: dict[int, int]) -> list[int]:
        """Take in beats that find these jobs held, by id with their attempts; return what was given back."""
        for each in held:
            self._audit.compare(Beat(0.0, True, [], each), worker_id=WORKER)
        return [each.end.job_id for each in self.given_back]


@pytest.mark.parametrize(("beats", "given_back"), [(1, []), (2, []), (3, [5]), (9, [5])])
def test_a_claim_whose_answer_never_came_is_given_back_once_at_the_third_beat(
    beats: int, given_back: list[int]
):
    assert Audited().beats(*[{5: 0}] * beats) == given_back


def test_an_answer_that_comes_in_between_begins_the_count_anew():
    assert Audited().beats({5: 0}, {5: 0}, {}, {5: 0}, {5: 0}) == []


def test_what_runs_here_or_ended_here_is_no_stray():
    assert Audited(runs=[1], records=[2]).beats(*[{1: 0, 2: 0}] * 5) == []


def test_a_stray_waits_again_at_no_cost_under_the_attempt_and_the_worker_that_held_it():
    audited = Audited()
    audited.beats(*[{5: 3}] * 3)

    (end,) = [each.end for each in audited.given_back]
    assert (end.status, end.outcome, end.counts_attempt) == ("todo", "interrupted", False)
    assert (end.worker_id, end.attempts) == (WORKER, 3)


def test_a_run_whose_job_others_have_is_stopped_and_no_other():
    audited = Audited(runs=[1, 2])

    audited.beats({1: 0})

    audited.pool.kill_lost.assert_called_once_with({2})
