"""The heartbeat, and on the same connection the notifications: a beat proves that listening still works.

Each beat compares what the database believes this worker runs with what it does run, and tells whether this
worker has been in touch long enough to judge others by their silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from procrastinate.manager import get_channel_for_queues
from psycopg import sql

from procrastinate_tasks.database import statement
from procrastinate_tasks.jobs.policies import LossCause
from procrastinate_tasks.jobs.rescue import LostRun, judge
from procrastinate_tasks.worker.children import Children
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool

_WITHIN = timedelta(seconds=5)


_LONGEST_REFUSAL = 300


# What Procrastinate calls the notification of a job that shall stop.
_ABORT = "abort_job_requested"


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat brought back.

    ``sent`` is when it left, on the monotonic clock; ``held`` are the jobs the database believes this worker
    runs: attempts by job id. Of ``stacks_asked`` somebody wants to know where they stand.
    """

    sent: float
    is_registered: bool
    job_ids_to_abort: list[int]
    held: dict[int, int]
    stacks_asked: list[int]


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
        link: WorkerConnection,
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
        rows = await self._link.fetch(statement("worker/heartbeat"), params, within=_WITHIN)
        is_registered, job_ids_to_abort, held, stacks_asked = rows[0]
        attempts = {int(job_id): held[job_id] for job_id in held}
        return Beat(sent, is_registered, job_ids_to_abort, attempts, stacks_asked)

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
        if _ABORT not in payload:  # at thousands of new jobs a second that is cheaper than to read each
            self._on_job()
            return
        notification = json.loads(payload)
        if notification["type"] == _ABORT:
            self._on_abort([notification["job_id"]])


def _seconds_since(instant: float | None, now: float) -> float | None:
    return None if instant is None else now - instant


logger = logging.getLogger(__name__)

# One beat proves nothing: a claim may be committed and its answer still on the way.
_BEATS = 3


class ClaimAudit:
    """Gives back stray jobs, whose claim's answer never came, and stops those that others took over."""

    def __init__(self, *, children: Children, completions: CompletionLoop, pool: Pool) -> None:
        self._children = children
        self._completions = completions
        self._pool = pool
        self._beats_missing: dict[int, int] = {}

    def compare(self, beat: Beat, *, worker_id: int) -> None:
        """Takes in one beat."""
        self._return_strays(beat, worker_id)
        started_before = self._children.started_before(beat.sent)
        self._pool.kill_lost(started_before - beat.held.keys())

    def _return_strays(self, beat: Beat, worker_id: int) -> None:
        missing = beat.held.keys() - self._children.attempts_by_job().keys() - self._completions.job_ids()
        self._beats_missing = {job_id: self._beats_missing.get(job_id, 0) + 1 for job_id in missing}
        strays = [job_id for job_id, beats in self._beats_missing.items() if beats == _BEATS]
        if strays:
            logger.warning("The answer to a claim never came; these jobs are given back: %s", strays)
        self._completions.add(Waiting(judge(_stray(job_id, beat, worker_id))) for job_id in strays)


def _stray(job_id: int, beat: Beat, worker_id: int) -> LostRun:
    """A run that never began; task and queue are for the job's row to tell."""
    return LostRun(
        cause=LossCause.ANSWER,
        job_id=job_id,
        worker_id=worker_id,
        attempts=beat.held[job_id],
        started_at=time.monotonic(),
        abort_requested=job_id in beat.job_ids_to_abort,
    )


class Connectivity:
    """Watches this worker's own beats.

    After an outage of the database every worker looks silent. Whoever comes back first must not take the
    others for dead: only a worker that was itself beating for as long as silence is tolerated may rescue.
    """

    def __init__(self, tolerated_silence: timedelta) -> None:
        self._tolerated = tolerated_silence.total_seconds()
        self._steady_since: float | None = None
        self._last = 0.0

    def is_steady(self) -> bool:
        """Whether every beat came through for long enough, the last just now."""
        now = time.monotonic()
        is_recent = now - self._last < self._tolerated
        return is_recent and self._steady_since is not None and now - self._steady_since >= self._tolerated

    @contextlib.contextmanager
    def of_one_beat(self) -> Iterator[None]:
        """Takes note of whether the beat made in the block came through."""
        try:
            yield
        except BaseException:
            self._steady_since = None
            raise
        now = time.monotonic()
        if self._steady_since is None or now - self._last >= self._tolerated:
            self._steady_since = now
        self._last = now
