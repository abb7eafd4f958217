"""The orderly end of a worker: running jobs finish within the grace, or are given back at no cost."""

from __future__ import annotations

import asyncio
import logging
import time

import psycopg

from procrastinate_tasks.engine.children import Children
from procrastinate_tasks.engine.registration import Registration
from procrastinate_tasks.engine.settlements import Settlements
from procrastinate_tasks.engine.staff import Staff
from procrastinate_tasks.options import WorkerOptions

logger = logging.getLogger(__name__)

_TICK = 0.05
_LAST_SETTLE_SECONDS = 2.0
# Async jobs are cancelled, and sync ones told by should_abort(), this long before the rest is killed.
_LONGEST_NOTICE = 2.0


class Drain:
    """Drains one worker; heartbeat, settle loop and watch loop go on meanwhile."""

    def __init__(
        self,
        *,
        options: WorkerOptions,
        children: Children,
        settlements: Settlements,
        registration: Registration,
        staff: Staff,
    ) -> None:
        self._grace = options.graceful_timeout.total_seconds()
        self._children = children
        self._settlements = settlements
        self._registration = registration
        self._staff = staff

    async def run(self) -> None:
        """Waits for the jobs, then parts from the database."""
        self._staff.close()
        logger.info(
            "Stopping: %d running jobs have %g s to finish", self._children.running_count, self._grace
        )
        notice = min(_LONGEST_NOTICE, self._grace / 4)
        if not await self._jobs_ended(within=self._grace - notice):
            self._children.abort(list(self._children.attempts_by_job()), shutting_down=True)
            await self._jobs_ended(within=notice)
        await self._end_children()
        parting = asyncio.create_task(self._children_left(within=_LAST_SETTLE_SECONDS))
        await self._settled(within=_LAST_SETTLE_SECONDS)
        await parting
        await self._part()

    async def _jobs_ended(self, *, within: float) -> bool:
        deadline = time.monotonic() + within
        while self._children.running_count and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)
        return not self._children.running_count

    async def _end_children(self) -> None:
        for child in self._children:
            if child.running:
                self._staff.kill(child, reason="its jobs did not finish in time and run again elsewhere")
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

    async def _settled(self, *, within: float) -> None:
        deadline = time.monotonic() + within
        while not self._settlements.is_empty and time.monotonic() < deadline:
            await asyncio.sleep(_TICK)

    async def _part(self) -> None:
        try:
            returned = await self._registration.leave()
        except (psycopg.Error, TimeoutError, OSError) as fault:
            logger.error("The database is out of reach; other workers will rescue what ran here: %s", fault)
            return
        if returned:
            logger.warning("%d jobs were given back: %s", len(returned), returned)
