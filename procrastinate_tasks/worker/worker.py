"""The worker: claims jobs for its children, beats, and records how they ended; it runs no job itself.

::

    supervisor (no database, no threads)
      │  forks, reaps, kills; tells the worker who died of what
      ├── worker (this file: one event loop, no task code)
      │     claim loop      ◀── woken by notifications, free slots, due times, or the poll   connection 1
      │                     ──▶ with a claim go the ends that free slots for it
      │     settle loop     ──▶ many finished runs in one statement                          connection 2
      │     heartbeat loop  ◀─▶ beat, LISTEN, abort requests                                 connection 3
      │     watch loop          hard time limits, children that leak, hang or are missing
      │     upkeep loop         schedule ticks, rescue of lost runs, also at start and end   connection 4
      │     housekeeping loop   alerts, retention, roll-up; at times a connection           connection 5
      └── children 1…N: threads and an event loop that run jobs (``child/process.py``)

Promises, and what keeps them:

* A job is acknowledged only after its run ended: a slot's job leaves ``doing`` when its end is recorded.
* Only the holder of a claim can end it: worker id and attempt are part of every settlement, and a worker that
  lost its registration gets a new id. Its jobs that others took over are killed where they still run.
* Never more jobs than free slots are claimed; a job starts the moment it is claimed, and keeps its slot until
  its end is recorded, at the latest by the transaction that claims the next. Nothing is claimed without a
  session to record with, and no end waits for a claim on its way, or one that failed.
* Each statement is bounded in time, each loop survives every fault; while the database is away, finished runs
  wait in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from procrastinate.app import App
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.database import in_one_line
from procrastinate_tasks.jobs import log_lines, progress, stacks
from procrastinate_tasks.jobs.log_lines import RunLog
from procrastinate_tasks.jobs.recording import why_refused
from procrastinate_tasks.worker.children import Child, Children
from procrastinate_tasks.worker.claim_loop import ClaimLoop, Claims
from procrastinate_tasks.worker.completion_loop import CompletionLoop, Waiting
from procrastinate_tasks.worker.connection import WorkerConnection
from procrastinate_tasks.worker.drain import Drain
from procrastinate_tasks.worker.heartbeat import ClaimAudit, Connectivity, Heartbeat, Troubles
from procrastinate_tasks.worker.losses import ends_of_lost_child
from procrastinate_tasks.worker.maintenance import (
    Housekeeping,
    Routines,
    Upkeep,
    patient_routines,
    prompt_routines,
)
from procrastinate_tasks.worker.messages import Channel, ChildExited, ChildForked, Drained, WorkerAlive
from procrastinate_tasks.worker.messages import Drain as DrainRequest
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.pool import Pool
from procrastinate_tasks.worker.registration import Registration

logger = logging.getLogger(__name__)

_TICK = 0.1


_UPKEEP_SECONDS = 5.0


_PROGRESS_SECONDS = 0.5


_PROGRESS_WITHIN = timedelta(seconds=5)


_CLAIM_LOOP = "Claiming jobs"


class Worker:
    """One worker; ``run`` lasts until the supervisor asks it to drain, or the queue is dry (one-shot)."""

    def __init__(
        self, *, app: App, options: WorkerOptions, channel: Channel, lost_worker_ids: list[int]
    ) -> None:
        self._app = app
        self._options = options
        self._channel = channel
        self._drain_requested = asyncio.Event()
        self._is_hurried = False
        self._background: set[asyncio.Task[None]] = set()
        claims, settles, beats = (self._link(purpose) for purpose in ("claims", "settles", "beats"))
        self._beats = beats
        self._completions = CompletionLoop(settles, delete_jobs=options.delete_jobs)
        self._children = Children(options, on_ends=self._take_ends)
        self._pool = Pool(options=options, children=self._children, channel=channel)
        self._connectivity = Connectivity(options.orphaned_after)
        self._upkeep = Upkeep(Routines(prompt_routines(may_rescue=self._connectivity.is_steady)))
        self._registration = Registration(
            beats,
            options=options,
            children=self._children,
            completions=self._completions,
            pool=self._pool,
            upkeep=self._upkeep,
            channel=channel,
            lost_worker_ids=lost_worker_ids,
        )
        self._claim_loop = ClaimLoop(
            options=options,
            claims=Claims(claims, queues=options.queues, task_names=app.tasks),
            children=self._children,
            pool=self._pool,
            completions=self._completions,
            registration=self._registration,
            open_sessions=self._open_sessions,
            on_dry=self._drain_requested.set,
        )
        self._heartbeat = Heartbeat(
            beats,
            options=options,
            children=self._children,
            on_job=self._claim_loop.wake,
            on_abort=self._abort_jobs,
        )
        self._housekeeping = Housekeeping(Routines(patient_routines()), name="housekeeping")
        self._audit = ClaimAudit(children=self._children, completions=self._completions, pool=self._pool)

    async def run(self) -> None:
        """Works until drained."""
        asyncio.get_running_loop().add_reader(self._channel.socket, self._read_channel)
        loops = {
            what: asyncio.create_task(keep_running(what, run_once), name=what)
            for what, run_once in self._loops().items()
        }
        await self._drain_requested.wait()
        await self._claim_loop.close()
        await _stop(loops.pop(_CLAIM_LOOP))
        await self._drain().run()
        with contextlib.suppress(OSError):  # nobody waits for a database that is away
            await self._store_what_jobs_say()
        for loop in loops.values():
            await _stop(loop)
        self._upkeep.close()
        self._housekeeping.close()
        self._channel.send(Drained())

    def _link(self, purpose: str) -> WorkerConnection:
        return WorkerConnection(alias=procrastinate_settings.DATABASE_ALIAS, purpose=purpose)

    def _loops(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "Watching the children": self._watch_once,
            "The heartbeat": self._beat_once,
            "Recording finished jobs": self._settle_once,
            "The upkeep": self._upkeep.run_once,
            "Storing what jobs say": self._store_once,
            "The housekeeping": self._housekeeping.run_once,
            _CLAIM_LOOP: self._claim_loop.run_once,
        }

    def _drain(self) -> Drain:
        return Drain(
            options=self._options,
            children=self._children,
            completions=self._completions,
            registration=self._registration,
            pool=self._pool,
            last_link=self._beats,
            is_hurried=lambda: self._is_hurried,
        )

    async def _open_sessions(self) -> None:
        """Makes sure before a claim that what is claimed can be recorded, and rescued if it comes to that."""
        await self._completions.open()
        try:
            async with asyncio.timeout(_UPKEEP_SECONDS):
                await self._upkeep.opened()
        except TimeoutError:
            raise ConnectionError("the upkeep has no database session yet") from None

    # --- The loops ------------------------------------------------------------------------------------------

    async def _watch_once(self) -> None:
        self._channel.send(WorkerAlive())
        self._pool.run_once()
        await asyncio.sleep(_TICK)

    async def _beat_once(self) -> None:
        is_new = self._registration.worker_id is None
        worker_id = await self._registration.ensure()
        if is_new:
            self._claim_loop.wake()
        with self._connectivity.of_one_beat():
            beat = await self._heartbeat.beat(worker_id, self._troubles())
        if not beat.is_registered:
            await self._registration.renew(worker_id)
            return
        self._abort_jobs(beat.job_ids_to_abort)
        self._children.ask_stacks(beat.stacks_asked)
        self._audit.compare(beat, worker_id=worker_id)
        await self._heartbeat.listen()

    def _troubles(self) -> Troubles:
        return Troubles(
            unrecorded=len(self._completions),
            unrecorded_since=self._completions.waits_since,
            claims_fail_since=self._claim_loop.fails_since,
        )

    async def _store_once(self) -> None:
        await asyncio.sleep(_PROGRESS_SECONDS)
        await self._store_what_jobs_say()

    async def _store_what_jobs_say(self) -> None:
        if said := self._children.take_stacks():
            await self._upkeep.call(partial(stacks.answer, said), within=_PROGRESS_WITHIN)
        if reports := self._children.take_progress():
            await self._upkeep.call(partial(progress.store, reports), within=_PROGRESS_WITHIN)
        while logs := self._children.take_logs():
            await self._store_logs(logs)

    async def _store_logs(self, logs: list[RunLog]) -> None:
        try:
            await self._upkeep.call(partial(log_lines.store, logs), within=_PROGRESS_WITHIN)
        except OSError as fault:  # which a time-out is
            if why_refused(fault) is None:
                self._children.return_logs(logs)
            raise

    async def _settle_once(self) -> None:
        has_freed_lock = await self._completions.run_once()
        if has_freed_lock or not (self._options.wait and self._options.listen_notify):
            self._claim_loop.wake()  # nobody else tells of a free lock, a dry queue, or one with room again
        else:
            self._claim_loop.wake_for_room()

    # --- What the children say ------------------------------------------------------------------------------

    def _take_ends(self, child: Child, finished: list[Waiting]) -> None:
        self._completions.add(finished, left_to_claim=self._claim_loop.wake_for_room())
        self._pool.check(child)

    def _abort_jobs(self, job_ids: list[int]) -> None:
        self._children.abort(job_ids, shutting_down=False)

    # --- What the supervisor says ---------------------------------------------------------------------------

    def _read_channel(self) -> None:
        messages = self._channel.receive()
        if messages is None:
            self._children.end_groups()
            os._exit(1)  # nobody would restart us, and the children are dying with the supervisor
        for message in messages:
            if isinstance(message, ChildForked):
                self._attach(message)
            elif isinstance(message, ChildExited):
                self._on_child_exit(message)
            elif isinstance(message, DrainRequest):
                self._is_hurried = self._is_hurried or message.at_once
                self._drain_requested.set()

    def _attach(self, message: ChildForked) -> None:
        link = self._channel.take_socket()
        attach = self._children.attach(
            message.number, pid=message.pid, application_name=message.application_name, link=link
        )
        self._later(attach)

    def _on_child_exit(self, message: ChildExited) -> None:
        child = self._children.remove(message.number)
        if child is None:
            return
        self._pool.on_exit(child, message)
        self._completions.add(ends_of_lost_child(self._app, child, message))
        if child.application_name:
            self._later(self._end_backends(child.application_name))
        self._pool.start_missing()
        self._claim_loop.wake()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets the work go on beside the loops; asyncio itself holds tasks only weakly."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _end_backends(self, application_name: str) -> None:
        try:
            await self._registration.terminate_backends(application_name)
        except (psycopg.Error, TimeoutError, OSError) as fault:
            logger.warning("Database sessions of a dead child may linger: %s", fault)


async def _stop(loop: asyncio.Task[None]) -> None:
    loop.cancel()
    await asyncio.wait([loop])


_SHORTEST_PAUSE = 0.1


_LONGEST_PAUSE = 5.0


async def keep_running(what: str, run_once: Callable[[], Awaitable[object]]) -> None:
    """Calls ``run_once`` until cancelled; after each fault in a row it pauses twice as long, with jitter."""
    pause = _SHORTEST_PAUSE
    while True:
        try:
            await run_once()
        except Exception as fault:
            with contextlib.suppress(Exception):  # a project's log handler may fail for the same reason
                _tell(what, fault, pause=pause)
        else:
            pause = _SHORTEST_PAUSE
            continue
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - spreads load, keeps no secret
        pause = min(pause * 2, _LONGEST_PAUSE)


def _tell(what: str, fault: Exception, *, pause: float) -> None:
    if isinstance(fault, psycopg.Error | TimeoutError | OSError):
        logger.warning("%s failed: %s. Trying again in %.1f s", what, in_one_line(fault), pause)
    else:
        logger.error("%s failed. Trying again in %.1f s", what, pause, exc_info=fault)
