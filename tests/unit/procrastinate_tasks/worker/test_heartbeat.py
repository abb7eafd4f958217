"""What a worker hears between beats, and what it makes of jobs that it holds without knowing of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from unittest.mock import create_autospec

import pytest
from psycopg import Notify

from procrastinate_tasks.models import LiveWorker
from procrastinate_tasks.worker import heartbeat
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.heartbeat import Beat, ClaimAudit, Connectivity, Heartbeat, Troubles
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool

WORKER = 7


class Session:
    """A connection that notes what it executes, and has these notifications waiting."""

    def __init__(self, *payloads: str) -> None:
        self.executed: list[Any] = []
        self.listened_for: list[float] = []
        self._payloads = payloads

    async def execute(self, query: Any) -> None:
        self.executed.append(query)

    async def notifies(self, *, timeout: float) -> AsyncIterator[Notify]:
        self.listened_for.append(timeout)
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


class StoppedClock:
    """Stands for the module ``time``: no time passes."""

    @staticmethod
    def monotonic() -> float:
        return 1000.0

    time = monotonic


def beats_of(link: Any, *, refusal: str = "", listens: bool = True) -> Heartbeat:
    """A worker that beats every half second."""
    return Heartbeat(
        link,
        options=WorkerOptions(listen_notify=listens, orphaned_after=timedelta(seconds=1.5)),
        children=create_autospec(
            Children, instance=True, running_count=3, most_memory_bytes=5, refusal=refusal
        ),
        on_job=lambda: None,
        on_abort=lambda _: None,
    )


def test_a_worker_listens_until_its_next_beat_and_gives_the_connection_some_seconds_more(
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[timedelta] = []
    session = Session()
    link = create_autospec(WorkerConnection, instance=True)

    @asynccontextmanager
    async def lend(*, within: timedelta) -> AsyncIterator[Session]:
        asked.append(within)
        yield session

    link.connection = lend
    monkeypatch.setattr(heartbeat, "time", StoppedClock)
    asyncio.run(beats_of(link).listen())

    assert session.listened_for == [0.5]
    assert timedelta(seconds=2) < asked[0] < timedelta(seconds=30)


def test_a_worker_that_shall_not_listen_rests_until_its_next_beat_without_a_connection(
    monkeypatch: pytest.MonkeyPatch,
):
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    link = create_autospec(WorkerConnection, instance=True)
    monkeypatch.setattr(heartbeat, "time", StoppedClock)
    monkeypatch.setattr(asyncio, "sleep", rest)
    asyncio.run(beats_of(link, listens=False).listen())

    assert (rests, link.connection.call_count) == ([0.5], 0)


def test_a_beat_tells_how_the_worker_does_and_hears_which_jobs_it_holds():
    link = create_autospec(WorkerConnection, instance=True)
    link.fetch.return_value = [(True, [9], {"5": 2}, [5])]

    beat = asyncio.run(beats_of(link, refusal="no" * 900).beat(WORKER, Troubles()))

    params = link.fetch.call_args.args[1]
    assert (beat.is_registered, beat.job_ids_to_abort, beat.held) == (True, [9], {5: 2})
    assert beat.stacks_asked == [5]
    assert (params["worker_id"], params["running"], params["memory_bytes"]) == (WORKER, 3, 5)
    assert (params["unrecorded"], params["unrecorded_seconds"], params["claims_fail_seconds"]) == (
        0,
        None,
        None,
    )
    assert len(params["refusal"]) == LiveWorker._meta.get_field("refusal").max_length


def test_a_beat_tells_for_how_long_ends_wait_and_claims_fail(monkeypatch: pytest.MonkeyPatch):
    link = create_autospec(WorkerConnection, instance=True)
    link.fetch.return_value = [(True, [], {}, [])]
    monkeypatch.setattr(heartbeat, "time", StoppedClock)

    asyncio.run(
        beats_of(link).beat(WORKER, Troubles(unrecorded=2, unrecorded_since=990.0, claims_fail_since=980.0))
    )

    params = link.fetch.call_args.args[1]
    assert (params["unrecorded"], params["unrecorded_seconds"], params["claims_fail_seconds"]) == (2, 10, 20)


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
            self._audit.compare(Beat(0.0, True, [], each, []), worker_id=WORKER)
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


def test_strays_are_told_when_they_are_given_back_and_not_before(caplog: pytest.LogCaptureFixture):
    audited = Audited()

    audited.beats(*[{5: 0}] * 2)
    assert caplog.messages == []

    audited.beats({5: 0})
    assert caplog.messages == ["The answer to a claim never came; these jobs are given back: [5]"]


# --- The right to rescue others -----------------------------------------------------------------------------


class Beating:
    """A worker's own beats by a clock of our own; silence is tolerated for three seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(heartbeat, "time", self)
        self._connectivity = Connectivity(timedelta(seconds=3))

    def monotonic(self) -> float:
        return self.now

    def may_rescue_after(self, *beats_at: float, fails_at: float | None = None, asked_at: float) -> bool:
        for self.now in sorted([*beats_at, *([] if fails_at is None else [fails_at])]):
            with suppress(TimeoutError), self._connectivity.of_one_beat():
                if self.now == fails_at:
                    raise TimeoutError
        self.now = asked_at
        return self._connectivity.is_steady()


@pytest.mark.parametrize(
    ("beats_at", "asked_at", "may"),
    [
        ([], 0.5, False),
        ([10], 10, False),
        ([10, 11, 12], 12.5, False),
        ([10, 11, 12], 13, True),  # it was in touch for as long as others may be silent
        ([10, 11, 12, 13], 15.9, True),
        ([10, 11, 12, 13], 16, False),  # it is itself as silent as one that is lost
        ([10, 11, 12, 13, 15.9], 16, True),
        ([10, 11, 12, 13, 16], 17, False),  # it was away too long, and counts anew
        ([10, 11, 12, 13, 16, 17, 18], 19, True),
    ],
)
def test_who_was_in_touch_for_as_long_as_silence_is_tolerated_may_rescue_others(
    beats_at: list[float], asked_at: float, may: bool, monkeypatch: pytest.MonkeyPatch
):
    assert Beating(monkeypatch).may_rescue_after(*beats_at, asked_at=asked_at) is may


@pytest.mark.parametrize(("asked_at", "may"), [(14, False), (16.9, False), (17, True)])
def test_a_beat_that_fails_begins_the_count_anew(asked_at: float, may: bool, monkeypatch: pytest.MonkeyPatch):
    beating = Beating(monkeypatch)

    assert beating.may_rescue_after(10, 11, 12, 14, 15, 16, fails_at=13, asked_at=asked_at) is may
