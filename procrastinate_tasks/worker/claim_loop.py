"""When to claim, and the claim: at once if there is room and a reason, else after news or the poll."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from procrastinate_tasks.database import retry_clash_async, statement
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import Along, CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import Query, WorkerConnection
from procrastinate_tasks.worker.losses import given_back
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.registration import Registration

# While one half of the slots is claimed for, the jobs in the other run. Small claims gain nothing by it.
_LARGEST_SHARE = 0.5


_LEAST_AT_ONCE = 25


# A burst of notifications is one reason to claim, and workers need not all ask in the same millisecond.
_BURST = 0.005


_LONGEST_DEBOUNCE = 0.003


# Ends that one claim takes along.
_MOST_ALONG = 200


# How long a claim on its way may take to arrive when the worker stops.
_LAST_ANSWER_SECONDS = 2.0


_SHORTEST_STALL = 0.02


_MOST_DOUBLINGS = 10


class ClaimLoop:
    """Claims for the free slots. ``wake`` tells it of news, ``wake_for_room`` of a free slot.

    ``on_dry`` ends a one-shot worker.
    """

    def __init__(
        self,
        *,
        options: WorkerOptions,
        claims: Claims,
        children: Children,
        pool: Pool,
        completions: CompletionLoop,
        registration: Registration,
        open_sessions: Callable[[], Awaitable[None]],
        on_dry: Callable[[], None],
    ) -> None:
        self._options = options
        self._claims = claims
        self._children = children
        self._pool = pool
        self._completions = completions
        self._registration = registration
        self._open_sessions = open_sessions
        self._on_dry = on_dry
        self._most_at_once = max(_LEAST_AT_ONCE, math.ceil(options.capacity * _LARGEST_SHARE))
        self._stalls = 0
        self._claimed_at = 0.0
        self._lacks_room = True
        self._is_closed = False
        self.fails_since: float | None = None
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Tells of a reason to claim."""
        self._news.set()

    def wake_for_room(self) -> bool:
        """Tells of a free slot: no news to a loop that had one to spare and found no job for it.

        Answers whether a claim comes at once, which takes waiting ends along.
        """
        if self._lacks_room:
            self._news.set()
        return self._lacks_room and self._takes_along

    async def close(self) -> None:
        """Claims no more; a claim on its way, and the ends it took along, may arrive."""
        self._is_closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ANSWER_SECONDS), self._completions.paused():
                pass
        self._completions.wake()

    async def run_once(self) -> None:
        """Claims once, or waits for a slot.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer, or there is no session to record with.
        """
        slots = self._slots(freed=self._completions.at_hand if self._takes_along else 0)
        worker_id = self._registration.worker_id
        self._news.clear()  # before the claim: what comes while it runs must wake us again
        self._lacks_room = slots == 0
        if worker_id is None or slots == 0:
            self._completions.wake()
            await self._news.wait()
            return
        with self._noting_faults():
            await self._open_sessions()
            self._claimed_at = time.monotonic()
            try:
                asked_for, claimed = await self._claim()
            except ClaimRefused:
                await self._registration.renew(worker_id)
                return
        self._start(claimed)
        if len(claimed) < asked_for and self._claims.saw_all:
            await self._rest(found_some=bool(claimed))

    async def _claim(self) -> tuple[int, list[ClaimedJob]]:
        """Claims for the free slots and for those of the ends it takes along; says how many these were."""
        slots, claimed = 0, list[ClaimedJob]()
        async with self._completions.along(most=_MOST_ALONG if self._takes_along else 0) as ends:
            room = self._slots(freed=len(ends))
            worker_id = self._registration.worker_id or 0
            claimed = await self._claims.claim(worker_id=worker_id, slots=room, ends=ends)
            slots = room
        return slots, claimed

    @property
    def _takes_along(self) -> bool:
        """No end waits for a claim that may not come, or may fail."""
        return self.fails_since is None and not self._is_closed

    def _slots(self, *, freed: int) -> int:
        """For how many jobs there is room; an end keeps its slot, unless recorded or among the freed."""
        if self._completions.is_overdue or self._is_closed:
            return 0
        unoccupied = self._options.capacity - self._children.running_count - len(self._completions) + freed
        return max(0, min(self._children.free_slots, unoccupied, self._most_at_once))

    @contextlib.contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """Remembers since when every claim failed."""
        try:
            yield
        except Exception:
            self.fails_since = self.fails_since or time.monotonic()
            self._completions.wake()
            raise
        self.fails_since = None

    def _start(self, claimed: list[ClaimedJob]) -> None:
        self._completions.forget({each.job_id for each in claimed})
        # While this worker was silent others gave its jobs back, and it claimed one that still runs here.
        self._pool.kill_lost({each.job_id for each in claimed})
        for suspect in (each for each in claimed if each.crashes):
            self._pool.start_alone(suspect)
        unplaced = self._children.start([each for each in claimed if not each.crashes])
        if unplaced:  # a child went away between the claim and its answer
            now = time.monotonic()
            self._completions.add(Waiting(given_back(each, started_at=now), each) for each in unplaced)

    async def _rest(self, *, found_some: bool) -> None:
        seconds_to_next, has_ready = await self._claims.look_ahead()
        if not self._options.wait and not has_ready and self._is_idle:
            self._on_dry()
        try:
            async with asyncio.timeout(self._pause(seconds_to_next, found_some=found_some)):
                await self._news.wait()
                if time.monotonic() - self._claimed_at < _BURST:
                    await asyncio.sleep(random.uniform(0, _LONGEST_DEBOUNCE))  # noqa: S311 - spreads load
        except TimeoutError:
            return

    def _pause(self, seconds_to_next: float | None, *, found_some: bool) -> float:
        """Seconds to rest at most."""
        poll = self._options.polling_interval.total_seconds()
        if seconds_to_next is None or seconds_to_next > 0:
            self._stalls = 0
            return poll if seconds_to_next is None else min(poll, seconds_to_next)
        # Something is ready but could not be claimed: its lock is held, or another worker is claiming it.
        self._stalls = 0 if found_some else self._stalls + 1
        return min(poll, _SHORTEST_STALL * 2.0 ** min(self._stalls, _MOST_DOUBLINGS))

    @property
    def _is_idle(self) -> bool:
        return self._children.running_count == 0 and self._completions.is_empty


_WITHIN = timedelta(seconds=15)


_OF_ITS_WORKER = "procrastinate_jobs_worker_id_fkey"


class ClaimRefused(Exception):
    """The worker's row is gone from the database: others took it for dead, so it must register anew."""


class Outlook(NamedTuple):
    """What a worker that found too little waits for.

    ``seconds_to_next`` is how long until a waiting job may start, 0 or less if one may now, None if only a
    notification can tell. ``has_ready`` counts also the jobs that a limit alone holds back.
    """

    seconds_to_next: float | None
    has_ready: bool


class Passed:
    """Where the last claim of each queue ended, so that the next need not walk over what it passed.

    What was claimed stays in the index for as long as any transaction may still see it. A job may come in
    before that place: one that is put back, or whose transaction took long. So it counts for a moment only, a
    longer one where a look at all is dear, and not after a claim that found fewer jobs than slots.
    """

    _SHORTEST_SECONDS = 0.1
    _LONGEST_SECONDS = 1.0
    _TIMES = 10  # a look at all takes a tenth of the time

    def __init__(self) -> None:
        self._ends: dict[str, tuple[int, int]] = {}
        self._until = 0.0

    def look(self) -> dict[str, Any]:
        """What to tell the next claim; no places when it shall look at all."""
        if time.monotonic() >= self._until:
            self._ends.clear()
        places = self._ends.items()
        return {
            "past_queues": [queue for queue, _ in places],
            "past_priorities": [-turn for _, (turn, _) in places],
            "past_ids": [job_id for _, (_, job_id) in places],
        }

    @property
    def is_empty(self) -> bool:
        return not self._ends

    def note(self, jobs: Iterable[ClaimedJob], *, is_full: bool, seconds: float) -> None:
        """Takes note of what a claim brought, and how long it took."""
        if self.is_empty:
            pause = min(max(self._SHORTEST_SECONDS, self._TIMES * seconds), self._LONGEST_SECONDS)
            self._until = time.monotonic() + pause
        if not is_full:
            self._ends.clear()
            return
        for job in jobs:
            if job.lock is None and job.scheduled_at is None:
                place = (-job.priority, job.job_id)
                self._ends[job.queue_name] = max(place, self._ends.get(job.queue_name, place))


class Claims:
    """Claims for one worker on its own connection: jobs of the tasks that its release knows."""

    def __init__(
        self, link: WorkerConnection, *, queues: tuple[str, ...] | None, task_names: Iterable[str]
    ) -> None:
        self._link = link
        self._passed = Passed()
        self.saw_all = True
        self._served = {
            "queues": None if queues is None else list(queues),
            "tasks": Jsonb(dict.fromkeys(task_names, 1)),
        }

    async def claim(self, *, worker_id: int, slots: int, ends: Along) -> list[ClaimedJob]:
        """Records the ends, then claims up to ``slots`` jobs, most urgent first: both, or neither.

        Raises:
            ClaimRefused: The worker is no longer registered.
            psycopg.Error, TimeoutError: The database could not answer.
        """
        places = self._passed.look()
        self.saw_all = self._passed.is_empty
        parameters = {**self._served, **places, "worker_id": worker_id, "slots": slots}
        if not self.saw_all:
            parameters["queues"] = places["past_queues"]  # to find the others takes as long as a look at all
        claim = Query(statement("worker/claim_jobs"), parameters)
        began = time.monotonic()
        try:
            # Two workers may meet on one lock.
            recorded, rows = await retry_clash_async(lambda: self._send(claim, ends))
        except psycopg.errors.ForeignKeyViolation as fault:
            if fault.diag.constraint_name != _OF_ITS_WORKER:
                raise
            raise ClaimRefused from None  # it says nothing of the ends
        ends.confirm(recorded)
        jobs = sorted((ClaimedJob(*row) for row in rows), key=lambda job: (-job.priority, job.job_id))
        self._passed.note(jobs, is_full=len(jobs) == slots, seconds=time.monotonic() - began)
        return jobs

    async def _send(self, claim: Query, ends: Along) -> list[list[tuple[Any, ...]]]:
        if not ends:
            return [[], await self._link.fetch(*claim, within=_WITHIN)]
        return await self._link.fetch_together(ends.query, claim, within=_WITHIN)

    async def look_ahead(self) -> Outlook:
        """Looks when the next waiting job may start.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        rows = await self._link.fetch(statement("worker/next_due"), self._served, within=_WITHIN)
        return Outlook(*rows[0])
