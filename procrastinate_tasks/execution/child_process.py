"""A child: takes jobs from its worker's socket, runs them, sends back how they ended; knows no queue.

::

    worker ──RunJobs──▶ control thread ──▶ event loop ── async jobs
       ▲                (soft limits,      │
       │                 aborts, EOF)      └▶ slot threads ── sync jobs   (the main thread if only one slot)
       └──────────── JobsEnded ◀── outbox ◀───────┘

The hard limit is not the child's business: the worker has the whole process killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator

from django.db import connections
from procrastinate.app import App

from procrastinate_tasks.engine.frames import Assignment, RunEnd, RunJobs
from procrastinate_tasks.execution import interruption
from procrastinate_tasks.execution.calls import CallBuilder
from procrastinate_tasks.execution.control import Control
from procrastinate_tasks.execution.limits import limits_of
from procrastinate_tasks.execution.outbox import Outbox
from procrastinate_tasks.execution.runs import JobRunner
from procrastinate_tasks.execution.slots import Slot
from procrastinate_tasks.execution.threads import SlotThreads
from procrastinate_tasks.options import WorkerOptions

EXIT_BROKEN = 71

logger = logging.getLogger(__name__)


class ChildProcess:
    """What runs in a child; lives until the worker closes the socket or the supervisor ends the process."""

    def __init__(self, *, app: App, options: WorkerOptions, link: socket.socket) -> None:
        self._options = options
        self._outbox = Outbox(link)
        self._slots = [Slot(index=index) for index in range(options.concurrency)]
        self._free = list(reversed(self._slots))
        self._runner = JobRunner(CallBuilder(app=app, options=options, stop=self._outbox.ask_to_retire))
        self._threads = SlotThreads(self._run_in_thread)
        self._control = Control(link=link, slots=self._slots, accept=self._accept, leave=self._leave_process)
        self._soft_limits: dict[str, float | None] = {}
        self._is_flush_due = False
        self._is_leaving = asyncio.Event()

    def run(self) -> None:
        """Serves until the process ends."""
        interruption.install_signal()
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._control.run, name="control", daemon=True).start()
        self._outbox.announce()
        await self._is_leaving.wait()

    # --- Taking jobs in (control thread, then event loop) ---------------------------------------------------

    def _leave_process(self) -> None:
        self._loop.call_soon_threadsafe(self._is_leaving.set)

    def _accept(self, message: RunJobs) -> None:
        self._loop.call_soon_threadsafe(self._start_all, message.assignments)

    def _start_all(self, assignments: list[Assignment]) -> None:
        for assignment in assignments:
            self._start(assignment)

    def _start(self, assignment: Assignment) -> None:
        slot = self._free.pop()
        slot.occupy(assignment, soft_seconds=self._soft_limit_of(assignment.task_name))
        if self._runner.belongs_on_loop(assignment):
            slot.task = self._loop.create_task(self._run_on_loop(slot, assignment))
        elif len(self._slots) == 1:
            self._loop.call_soon(self._run_in_main_thread, slot, assignment)
        else:
            self._threads.submit(slot, assignment)

    def _soft_limit_of(self, task_name: str) -> float | None:
        if task_name not in self._soft_limits:
            self._soft_limits[task_name] = limits_of(task_name, self._options).soft
        return self._soft_limits[task_name]

    # --- Running, and giving the end back -------------------------------------------------------------------

    async def _run_on_loop(self, slot: Slot, assignment: Assignment) -> None:
        with exiting_on_fault():
            self._leave(slot, await self._runner.run_on_loop(slot, assignment))
        # Jobs that end in the same turn of the loop travel together.
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _run_in_main_thread(self, slot: Slot, assignment: Assignment) -> None:
        with exiting_on_fault():
            self._leave(slot, self._runner.run_in_main_thread(slot, assignment))
            self._flush()

    def _run_in_thread(self, slot: Slot, assignment: Assignment) -> None:
        with exiting_on_fault():
            self._leave(slot, self._runner.run_in_thread(slot, assignment))
            self._outbox.flush()

    def _leave(self, slot: Slot, end: RunEnd) -> None:
        slot.vacate()
        self._free.append(slot)
        self._outbox.add(end)

    def _flush(self) -> None:
        self._is_flush_due = False
        self._outbox.flush()


@contextlib.contextmanager
def exiting_on_fault() -> Iterator[None]:
    """Ends the process when the machinery around a job fails: the worker sees that, and the job runs again.

    A task's own errors do not come here. A slot that forgot its job would look busy for ever.
    """
    try:
        yield
    except BaseException:
        logger.critical("A job's end could not be told; this child exits", exc_info=True)
        logging.shutdown()
        os._exit(EXIT_BROKEN)


def name_connections(application_name: str) -> None:
    """Gives this process's database connections a name by which the worker finds and ends them."""
    os.environ["PGAPPNAME"] = application_name
    for alias in connections:
        options = connections[alias].settings_dict.setdefault("OPTIONS", {})
        if connections[alias].vendor == "postgresql":
            options["application_name"] = application_name
