"""The orderly end of a worker: running jobs finish within the grace, or are given back at no cost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import psycopg

from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.registration import Registration

logger = logging.getLogger(__name__)

_TICK = 0.05
_LAST_SETTLE_SECONDS = 2.0
_SECONDS_BETWEEN_TRIES = 0.5
# Async jobs are cancelled, and sync ones told by should_abort(), this long before the rest is killed.
_LONGEST_NOTICE = 2.0


class Drain:
    """Drains one worker; heartbeat, settle loop and watch loop go on meanwhile.

    ``last_link`` is the session by which the worker parts; the last ends may be recorded through it. Once it
    ``is_hurried``, jobs get no more time.
    """

    def __init__(
        self,
        *,
        options: WorkerOptions,
        children: Children,
        completions: CompletionLoop,
        registration: Registration,
        pool: Pool,
        last_link: WorkerConnection,
        is_hurried: Callable[[], bool],
    ) -> None:
        self._grace = options.graceful_timeout.total_seconds()
        self._children = children
        self._completions = completions
        self._registration = registration
        self._pool = pool
        self._last_link = last_link
        self._is_hurried = is_hurried

    async def run(self) -> None:
        """Waits for the jobs, then parts from the database."""
        self._pool.close()
        logger.info(
            "Stopping: %d running jobs have %g s to finish", self._children.running_count, self._grace
        )
        deadline = time.monotonic() + self._grace
        notice = min(_LONGEST_NOTICE, self._grace / 4)
        if not await self._jobs_ended(within=self._grace - notice):
            self._children.abort(list(self._children.attempts_by_job()), shutting_down=True)
            await self._jobs_ended(within=notice)
        await self._end_children()
        self._completions.try_refused_again()
        parting = asyncio.create_task(self._children_left(within=_LAST_SETTLE_SECONDS))
        is_settled = await self._settled(until=max(deadline, time.monotonic() + _LAST_SETTLE_SECONDS))
        await parting
        if not is_settled:
            logger.error(
                "%d finished jobs could not be recorded; others will take them for lost",
                len(self._completions),
            )
            return  # to give them back would be to say that they did not run
        await self._part()

    async def _jobs_ended(self, *, within: float) -> bool:
        deadline = time.monotonic() + within
        while self._children.running_count and time.monotonic() < deadline and not self._is_hurried():
            await asyncio.sleep(_TICK)
        return not self._children.running_count

    async def _end_children(self) -> None:
        for child in self._children:
            if child.running:
                self._pool.kill(child, reason="its jobs did not finish in time and run again elsewhere")
            else:
                child.is_retiring = True
        deadline = time.monotonic() + _LAST_SETTLE_SECONDS
        while any(child.running for child in self._children) and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)

    async def _children_left(self, *, within: float) -> None:
        """Lets the children end in good order; what the project registered for their end may take so long."""
        deadline = time.monotonic() + within
        while len(self._children) and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)

    async def _settled(self, *, until: float) -> bool:
        """Waits for the last ends to be recorded, and after a while through whichever session there is."""
        lend_at = time.monotonic() + _LAST_SETTLE_SECONDS / 2
        while not self._completions.is_empty and time.monotonic() < until:
            await asyncio.sleep(_TICK)
            if time.monotonic() >= lend_at:
                await self._settle_through_another()
        return self._completions.is_empty

    async def _settle_through_another(self) -> None:
        try:
            async with asyncio.timeout(_LAST_SETTLE_SECONDS):
                await self._completions.settle_through(self._last_link)
        except (psycopg.Error, TimeoutError, OSError):
            await asyncio.sleep(_SECONDS_BETWEEN_TRIES)

    async def _part(self) -> None:
        try:
            await self._registration.leave()
        except (psycopg.Error, TimeoutError, OSError) as fault:
            logger.error("The database is out of reach; other workers will rescue what ran here: %s", fault)
