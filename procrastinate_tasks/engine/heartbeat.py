"""The heartbeat, and on the same connection the notifications: a beat proves that listening still works."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from procrastinate.manager import get_channel_for_queues
from psycopg import sql

from procrastinate_tasks.engine.children import Children
from procrastinate_tasks.engine.links import DatabaseLink
from procrastinate_tasks.options import WorkerOptions
from procrastinate_tasks.statements import statement

_WITHIN = timedelta(seconds=5)
_LONGEST_REFUSAL = 300


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat brought back.

    ``sent`` is when it left, on the monotonic clock; ``held`` are the jobs the database believes this worker
    runs: attempts by job id.
    """

    sent: float
    is_registered: bool
    job_ids_to_abort: list[int]
    held: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What a worker cannot do though it lives; times are on the monotonic clock, None when it can."""

    unrecorded: int = 0
    unrecorded_since: float | None = None
    claims_fail_since: float | None = None


class Heartbeat:
    """Beats for one worker, and between beats listens.

    ``on_job`` is called when a job was inserted or became ready, ``on_abort`` with the ids of jobs that shall
    stop.
    """

    def __init__(
        self,
        link: DatabaseLink,
        *,
        options: WorkerOptions,
        children: Children,
        on_job: Callable[[], None],
        on_abort: Callable[[list[int]], None],
    ) -> None:
        self._link = link
        self._interval = options.heartbeat_interval.total_seconds()
        self._channels = list(get_channel_for_queues(options.queues)) if options.listen_notify else []
        self._children = children
        self._on_job = on_job
        self._on_abort = on_abort
        self._listening: psycopg.AsyncConnection[tuple[Any, ...]] | None = None

    async def beat(self, worker_id: int, troubles: Troubles) -> Beat:
        """Beats once, and reports how the children do and what is in their way.

        Raises:
            psycopg.Error, TimeoutError: The connection is gone; the next call opens another.
        """
        sent = time.monotonic()
        params = {
            "worker_id": worker_id,
            "running": self._children.running_count,
            "memory_bytes": self._children.most_memory_bytes,
            "refusal": self._children.refusal[:_LONGEST_REFUSAL],
            "host_time": time.time(),
            "unrecorded": troubles.unrecorded,
            "unrecorded_seconds": _seconds_since(troubles.unrecorded_since, sent),
            "claims_fail_seconds": _seconds_since(troubles.claims_fail_since, sent),
        }
        rows = await self._link.fetch(statement("heartbeat"), params, within=_WITHIN)
        is_registered, job_ids_to_abort, held = rows[0]
        return Beat(sent, is_registered, job_ids_to_abort, {int(job_id): held[job_id] for job_id in held})

    async def listen(self) -> None:
        """Listens until the next beat is due.

        Raises:
            psycopg.Error, TimeoutError: The connection is gone.
        """
        await self._listen_until(time.monotonic() + self._interval)

    async def _listen_until(self, deadline: float) -> None:
        remaining = max(0.0, deadline - time.monotonic())
        if not self._channels:
            await asyncio.sleep(remaining)
            return
        async with self._link.connection(within=timedelta(seconds=remaining) + _WITHIN) as connection:
            await self._subscribe(connection)
            async for notification in connection.notifies(timeout=max(0.0, deadline - time.monotonic())):
                self._pass_on(notification.payload)

    async def _subscribe(self, connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        if connection is self._listening:
            return
        for channel in self._channels:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self._listening = connection
        self._on_job()  # whatever came while nobody listened

    def _pass_on(self, payload: str) -> None:
        notification = json.loads(payload)
        if notification["type"] == "abort_job_requested":
            self._on_abort([notification["job_id"]])
        else:
            self._on_job()


def _seconds_since(instant: float | None, now: float) -> float | None:
    return None if instant is None else now - instant
