"""The worker's row in the database: made at the start, made anew when others took the worker for dead."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Mapping, Set
from datetime import timedelta
from typing import Any

from procrastinate.contrib.django import app

from procrastinate_tasks.conf import project_name, queue_settings
from procrastinate_tasks.database import statement
from procrastinate_tasks.exceptions import WorkerDied
from procrastinate_tasks.jobs.fitting import fingerprint_of
from procrastinate_tasks.queues.control import limit_columns
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.messages import Channel, WorkerRegistered
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool

logger = logging.getLogger(__name__)

_WITHIN = timedelta(seconds=5)

_ADOPT_JOBS = """
-- Takes jobs over that this worker still runs but whose worker row was pruned, before anyone rescued them.
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

    ``lost_worker_ids`` are workers whose processes the supervisor saw die: their jobs are given back first.
    """

    def __init__(
        self,
        link: WorkerConnection,
        *,
        options: WorkerOptions,
        children: Children,
        pool: Pool,
        channel: Channel,
        lost_worker_ids: list[int],
    ) -> None:
        self._link = link
        self._portrait = _description_of(options)
        self._limits = limit_columns(queue_settings().queue_limits, project=project_name())
        self._children = children
        self._pool = pool
        self._channel = channel
        self._lost_worker_ids = lost_worker_ids
        self._changing = asyncio.Lock()
        self.worker_id: int | None = None

    async def ensure(self) -> int:
        """Registers if that was not done yet, and returns the id.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        async with self._changing:
            if self.worker_id is None:
                await self._clear_predecessors()
                self.worker_id = await self._register()
            return self.worker_id

    async def renew(self, refused_id: int) -> None:
        """Registers under a new id after the old one was refused; keeps what it can, stops what was lost.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        async with self._changing:
            if self.worker_id != refused_id:
                return
            logger.warning("Worker %d was taken for dead by another; it registers anew", refused_id)
            worker_id = await self._register()
            adopted = await self._adopt(worker_id, self._children.attempts_by_job())
            self._children.rename_claims(adopted, worker_id=worker_id)
            self.worker_id = worker_id
            self._pool.kill_lost(self._children.attempts_by_job().keys() - adopted)

    async def leave(self, *, ended_job_ids: Set[int]) -> list[int]:
        """Unregisters, and returns the ids of jobs that are given back unfinished: none that ended here.

        Raises:
            psycopg.Error, TimeoutError: The database could not answer.
        """
        if self.worker_id is None:
            return []
        returned = await self._unregister([self.worker_id], reason=None, ended_job_ids=ended_job_ids)
        await self._link.fetch(statement("queues/lift_limits"), {}, within=_WITHIN)
        return returned

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
        returned = await self._unregister(self._lost_worker_ids, reason=WorkerDied())
        self._lost_worker_ids = []
        if returned:
            logger.warning("%d jobs of the worker that died run again: %s", len(returned), returned)

    async def _register(self) -> int:
        await self._link.fetch(statement("queues/declare_limits"), self._limits, within=_WITHIN)
        rows = await self._link.fetch(statement("worker/register_worker"), self._portrait, within=_WITHIN)
        worker_id: int = rows[0][0]
        self._channel.send(WorkerRegistered(worker_id))
        await self._link.fetch(statement("queues/lift_limits"), {}, within=_WITHIN)
        return worker_id

    async def _unregister(
        self, worker_ids: list[int], *, reason: WorkerDied | None, ended_job_ids: Set[int] = frozenset()
    ) -> list[int]:
        params = {
            "worker_ids": worker_ids,
            "except_job_ids": list(ended_job_ids),
            "exception_class": f"{WorkerDied.__module__}.{WorkerDied.__qualname__}" if reason else "",
            "message": str(reason) if reason else "",
        }
        return [
            row[0]
            for row in await self._link.fetch(statement("worker/unregister_workers"), params, within=_WITHIN)
        ]

    async def _adopt(self, worker_id: int, attempts_by_job: Mapping[int, int]) -> set[int]:
        params = {
            "worker_id": worker_id,
            "job_ids": list(attempts_by_job.keys()),
            "attempts": list(attempts_by_job.values()),
        }
        return {row[0] for row in await self._link.fetch(_ADOPT_JOBS, params, within=_WITHIN)}


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
