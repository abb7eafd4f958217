"""When to claim, and the claim: at once if there is room and a reason, else after news or the poll."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from procrastinate_tasks.database import retry_clash_async, statement
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
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
        self.fails_since: float | None = None
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Tells of a reason to claim."""
        self._news.set()

    def wake_for_room(self) -> None:
        """Tells of a free slot: no news to a loop that had one to spare and found no job for it."""
        if self._lacks_room:
            self._news.set()

    async def run_once(self) -> None:
        """Claims once, or waits for a slot.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer, or there is no session to record with.
        """
        slots = self._free_slots
        worker_id = self._registration.worker_id
        self._news.clear()  # before the claim: what comes while it runs must wake us again
        self._lacks_room = slots == 0
        if worker_id is None or slots == 0:
            await self._news.wait()
            return
        with self._noting_faults():
            await self._open_sessions()
            self._claimed_at = time.monotonic()
            try:
                claimed = await self._claims.claim(worker_id=worker_id, slots=slots)
            except ClaimRefused:
                await self._registration.renew(worker_id)
                return
        self._start(claimed)
        if len(claimed) < slots:
            await self._rest(found_some=bool(claimed))

    @property
    def _free_slots(self) -> int:
        """For how many jobs there is room; an end that is not recorded keeps its slot."""
        if self._completions.is_overdue:
            return 0
        unoccupied = self._options.capacity - self._children.running_count - len(self._completions)
        return max(0, min(self._children.free_slots, unoccupied, self._most_at_once))

    @contextlib.contextmanager
    def _noting_faults(self) -> Iterator[None]:
        """Remembers since when every claim failed."""
        try:
            yield
        except Exception:
            self.fails_since = self.fails_since or time.monotonic()
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


class ClaimRefused(Exception):
    """The worker's row is gone from the database: others took it for dead, so it must register anew."""


class Outlook(NamedTuple):
    """What a worker that found too little waits for.

    ``seconds_to_next`` is how long until a waiting job may start, 0 or less if one may now, None if only a
    notification can tell. ``has_ready`` counts also the jobs that a limit alone holds back.
    """

    seconds_to_next: float | None
    has_ready: bool


class Claims:
    """Claims for one worker on its own connection: jobs of the tasks that its release knows."""

    def __init__(
        self, link: WorkerConnection, *, queues: tuple[str, ...] | None, task_names: Iterable[str]
    ) -> None:
        self._link = link
        self._served = {
            "queues": None if queues is None else list(queues),
            "tasks": Jsonb(dict.fromkeys(task_names, 1)),
        }

    async def claim(self, *, worker_id: int, slots: int) -> list[ClaimedJob]:
        """Claims up to ``slots`` jobs, most urgent first.

        Raises:
            ClaimRefused: The worker is no longer registered.
            psycopg.Error, TimeoutError: The database could not answer.
        """
        params = {**self._served, "worker_id": worker_id, "slots": slots}
        try:
            # Two workers may meet on one lock.
            rows = await retry_clash_async(
                lambda: self._link.fetch(statement("worker/claim_jobs"), params, within=_WITHIN)
            )
        except psycopg.errors.ForeignKeyViolation as gone:
            raise ClaimRefused from gone
        return sorted((ClaimedJob(*row) for row in rows), key=lambda job: (-job.priority, job.job_id))

    async def look_ahead(self) -> Outlook:
        """Looks when the next waiting job may start.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        rows = await self._link.fetch(statement("worker/next_due"), self._served, within=_WITHIN)
        return Outlook(*rows[0])
