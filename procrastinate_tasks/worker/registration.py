"""The worker's row in the database: made at the start, made anew when others took the worker for dead."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import Collection, Set
from datetime import timedelta
from functools import partial
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import project_name, queue_settings
from procrastinate_tasks.database import statement
from procrastinate_tasks.jobs import rescue
from procrastinate_tasks.jobs.fitting import fingerprint_of
from procrastinate_tasks.jobs.policies import LossCause
from procrastinate_tasks.jobs.rescue import LostRun
from procrastinate_tasks.queues.control import DECLARE_LIMITS, LIFT_LIMITS, limit_columns
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.maintenance import Upkeep
from procrastinate_tasks.worker.messages import Channel, WorkerRegistered
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool

logger = logging.getLogger(__name__)

_WITHIN = timedelta(seconds=5)
_RESCUE_WITHIN = timedelta(seconds=10)
# Killing, recording and parting share four seconds.
_PART_WITHIN = timedelta(seconds=2)

_FORGET_WORKERS = """
-- Forgets workers that are gone, and notes when their releases were last seen.
WITH seen AS (
    UPDATE procrastinate_tasks_release
    SET last_seen_at = now()
    WHERE name IN (
        SELECT release FROM procrastinate_tasks_liveworker WHERE worker_id = ANY(%(worker_ids)s::bigint[])
    )
)
DELETE FROM procrastinate_workers WHERE id = ANY(%(worker_ids)s::bigint[]) RETURNING id
"""

_HELD = """
SELECT id, attempts, abort_requested FROM procrastinate_jobs
WHERE status = 'doing' AND worker_id = %(worker_id)s
"""

_ADOPT_JOBS = """
-- Takes jobs over that this worker runs, or has ended and not recorded yet, but whose worker row was pruned,
-- before anyone rescued them.
UPDATE procrastinate_jobs AS job
SET worker_id = %(worker_id)s
FROM unnest(%(job_ids)s::bigint[], %(attempts)s::integer[]) AS running (id, attempts)
WHERE job.id = running.id
  AND job.status = 'doing'
  AND job.worker_id IS NULL
  AND job.attempts = running.attempts
RETURNING job.id
"""

_TERMINATE_BACKENDS = """
-- Ends the database sessions of a child that is gone: a query it left behind would run on, and hold its
-- locks.
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE application_name = %(application_name)s
  AND datname = current_database()
  AND pid <> pg_backend_pid()
"""


class Registration:
    """Under which id this worker claims. ``worker_id`` is None until the database knows it.

    ``lost_worker_ids`` are workers whose processes the supervisor saw die: their jobs are rescued first.
    """

    def __init__(
        self,
        link: WorkerConnection,
        *,
        options: WorkerOptions,
        children: Children,
        completions: CompletionLoop,
        pool: Pool,
        upkeep: Upkeep,
        channel: Channel,
        lost_worker_ids: list[int],
    ) -> None:
        self._link = link
        self._portrait = _description_of(options)
        self._limits = limit_columns(queue_settings().queue_limits, project=project_name())
        self._children = children
        self._completions = completions
        self._pool = pool
        self._upkeep = upkeep
        self._channel = channel
        self._lost_worker_ids = lost_worker_ids
        self._changing = asyncio.Lock()
        self._has_left = False
        self.worker_id: int | None = None

    async def ensure(self) -> int:
        """Registers if that was not done yet, and returns the id; 0, which is nobody's, after ``leave``.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        async with self._changing:
            if self.worker_id is None and not self._has_left:
                await self._clear_predecessors()
                self.worker_id = await self._register()
            return self.worker_id or 0

    async def renew(self, refused_id: int) -> None:
        """Registers under a new id after the old one was refused; keeps what it can, stops what was lost.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        async with self._changing, self._completions.paused():
            if self._has_left or self.worker_id != refused_id:
                return
            logger.warning("Worker %d was taken for dead by another; it registers anew", refused_id)
            worker_id = await self._register()
            adopted = await self._adopt(worker_id)
            self._children.rename_claims(adopted, worker_id=worker_id)
            self._completions.rename_claims(adopted, worker_id=worker_id)
            self.worker_id = worker_id
            self._pool.kill_lost(self._children.attempts_by_job().keys() - adopted)

    async def leave(self) -> None:
        """Gives back what did not finish, and unregisters for good; what ended here is left as it is.

        A beat that finds the row gone must not make another, which would pass for a living worker.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        async with asyncio.timeout(_PART_WITHIN.total_seconds()), self._changing:
            self._has_left = True
        if self.worker_id is None:
            return
        try:
            await self._end_workers(
                [self.worker_id],
                cause=LossCause.SHUTDOWN,
                ended_job_ids=self._completions.job_ids(),
                within=_PART_WITHIN,
            )
        except OSError:  # the upkeep has no session, and others would take for lost what never began
            async with asyncio.timeout(_PART_WITHIN.total_seconds()):
                await self._give_back_unanswered(self.worker_id)
            raise
        await self._link.fetch(LIFT_LIMITS, {}, within=_PART_WITHIN)

    async def _give_back_unanswered(self, worker_id: int) -> None:
        """Gives back the jobs of claims whose answer never came, at no attempt's price."""
        rows = await self._link.fetch(_HELD, {"worker_id": worker_id}, within=_PART_WITHIN)
        known = self._children.attempts_by_job().keys() | self._completions.job_ids()
        lost = [
            LostRun(
                cause=LossCause.ANSWER,
                job_id=job_id,
                worker_id=worker_id,
                attempts=attempts,
                started_at=time.monotonic(),
                abort_requested=abort_requested,
            )
            for job_id, attempts, abort_requested in rows
            if job_id not in known
        ]
        self._completions.add(Waiting(rescue.judge(each)) for each in lost)
        await self._completions.settle_through(self._link)

    async def terminate_backends(self, application_name: str) -> None:
        """Ends the database sessions that a dead child left behind.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        params = {"application_name": application_name}
        await self._link.fetch(_TERMINATE_BACKENDS, params, within=_WITHIN)

    async def _clear_predecessors(self) -> None:
        if not self._lost_worker_ids:
            return
        await self._end_workers(self._lost_worker_ids, cause=LossCause.WORKER, within=_RESCUE_WITHIN)
        self._lost_worker_ids = []

    async def _register(self) -> int:
        await self._link.fetch(DECLARE_LIMITS, self._limits, within=_WITHIN)
        rows = await self._link.fetch(statement("worker/register_worker"), self._portrait, within=_WITHIN)
        worker_id: int = rows[0][0]
        self._channel.send(WorkerRegistered(worker_id))
        await self._link.fetch(LIFT_LIMITS, {}, within=_WITHIN)
        return worker_id

    async def _end_workers(
        self,
        worker_ids: Collection[int],
        *,
        cause: LossCause,
        ended_job_ids: Set[int] = frozenset(),
        within: timedelta,
    ) -> None:
        work = partial(rescue.rescue_workers, worker_ids, cause=cause, except_job_ids=ended_job_ids)
        await self._upkeep.call(work, within=within)
        await self._link.fetch(_FORGET_WORKERS, {"worker_ids": list(worker_ids)}, within=within)

    async def _adopt(self, worker_id: int) -> set[int]:
        """Takes over what runs here, and what has ended and waits to be recorded."""
        held = self._children.attempts_by_job() | self._completions.attempts_by_job()
        params = {"worker_id": worker_id, "job_ids": list(held.keys()), "attempts": list(held.values())}
        rows = await self._link.fetch(_ADOPT_JOBS, params, within=_WITHIN)
        return {row[0] for row in rows}


def _description_of(options: WorkerOptions) -> dict[str, Any]:
    """What this worker says about itself, as ``worker/sql/register_worker.sql`` wants it."""
    megabytes = options.max_memory_mb
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "release": queue_settings().release,
        "project": project_name(),
        "code": fingerprint_of(app.tasks),
        "limits": json.dumps(sorted(queue_settings().queue_limits)),
        "queues": None if options.queues is None else json.dumps(options.queues),
        "tasks": json.dumps(sorted(app.tasks)),
        "capacity": options.capacity,
        "max_memory_bytes": None if megabytes is None else megabytes * 1024 * 1024,
        "orphaned_after": options.orphaned_after,
    }
