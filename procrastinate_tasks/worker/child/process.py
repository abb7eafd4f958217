"""A child: takes jobs from its worker's socket, runs them, sends back how they ended; knows no queue.

::

    worker ──RunJobs──▶ control thread ──▶ event loop ── async jobs
       ▲                (soft limits,      │
       │                 aborts, EOF)      └▶ job threads ── sync jobs
       └──────────── JobsEnded ◀── outbox ◀───────┘

With one slot there is neither loop nor thread: the job runs in the main thread. The hard limit is not the
child's business: the worker has the whole process killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

from procrastinate.app import App

from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.jobs.completion import Completion
from procrastinate_tasks.worker.child import interruption
from procrastinate_tasks.worker.child.connecting import Connecting
from procrastinate_tasks.worker.child.control import Control
from procrastinate_tasks.worker.child.job_logs import JobLogHandler, JobLogs
from procrastinate_tasks.worker.child.leftovers import adopt_connections, watch_connections
from procrastinate_tasks.worker.child.outbox import Outbox
from procrastinate_tasks.worker.child.process_state import ProcessState
from procrastinate_tasks.worker.child.progress import ProgressReporter
from procrastinate_tasks.worker.child.runner import CallBuilder, JobRunner, fresh_context, undisturbed
from procrastinate_tasks.worker.child.slots import JobThreads, Slot
from procrastinate_tasks.worker.messages import RunJobs
from procrastinate_tasks.worker.options import JobLimits, WorkerOptions

T = TypeVar("T")

EXIT_BROKEN = 71

logger = logging.getLogger(__name__)


class ChildProcess(ABC):
    """What every child has; ``run`` lives until the worker says leave, or is gone."""

    def __init__(self, *, app: App, options: WorkerOptions, link: socket.socket) -> None:
        self._options = options
        self._pid = os.getpid()
        self._outbox = Outbox(link)
        self._connecting = Connecting(self._outbox)
        self._slots = [Slot(index=index) for index in range(options.concurrency)]
        self._free = list(reversed(self._slots))
        self._progress = ProgressReporter(self._outbox.tell)
        self._logs = JobLogs(self._outbox.tell)
        self._calls = CallBuilder(
            app=app,
            options=options,
            stop=self._outbox.ask_to_retire,
            progress=self._progress,
            logs=self._logs,
        )
        self._runner = JobRunner(self._calls, put_back=lambda slot: self._state.put_back(slot))
        self._limits = JobLimits(options)
        self._control = Control(
            link=link, slots=self._slots, outbox=self._outbox, accept=self._accept, leave=self._begin_to_leave
        )

    @abstractmethod
    def run(self) -> None:
        """Serves until told to leave."""

    @abstractmethod
    def _start(self, slot: Slot, assignment: ClaimedJob) -> None:
        """Starts a job that has its slot; called from the control thread."""

    @abstractmethod
    def _leave(self) -> None:
        """Makes ``run`` return; called from the control thread."""

    def _serve_control(self, loop: asyncio.AbstractEventLoop) -> None:
        interruption.install_signal()
        watch_connections()
        logging.getLogger().addHandler(JobLogHandler(self._logs))
        self._state = ProcessState(self._slots, retire=self._outbox.ask_to_retire, loop=loop)
        threading.Thread(target=self._run_control, name="control", daemon=True).start()
        threading.Thread(target=self._report_progress, name="progress", daemon=True).start()
        threading.Thread(target=self._send_logs, name="logs", daemon=True).start()

    def _announce(self) -> None:
        """Takes no job before the database was reached: the jobs would only fail."""
        with exiting_on_fault():
            self._connecting.begin(slots=len(self._slots))
            self._outbox.announce()

    def _begin_to_leave(self) -> None:
        self._connecting.leave()
        self._leave()

    def _run_control(self) -> None:
        with exiting_on_fault():
            self._control.run()

    def _report_progress(self) -> None:
        with exiting_on_fault():
            self._progress.serve()

    def _send_logs(self) -> None:
        with exiting_on_fault():
            self._logs.serve()

    def _accept(self, message: RunJobs) -> None:
        """Gives each job its slot here already: limits count from now, and the control thread knows them."""
        for assignment in message.assignments:
            slot = self._free.pop()
            with self._state.guard:
                slot.occupy(assignment, self._limits.of(assignment))
            self._start(slot, assignment)

    def _end(self, slot: Slot, end: Completion) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # a copy that a job forked, and that returned from the job as well
        slot.vacate()
        self._free.append(slot)
        self._outbox.add(end)

    def _give_back(self, slot: Slot, end: Completion) -> None:
        """Ends a run that could not connect to the database; its slot is free once it can."""
        slot.vacate()
        self._connecting.refuse(end.message)
        self._outbox.add(end)
        self._outbox.flush()

    def _take_up(self, slot: Slot) -> None:
        self._free.append(slot)
        self._connecting.accept()


class ManyJobsChild(ChildProcess):
    """Runs async jobs on an event loop in the main thread, each sync job in the thread of its slot."""

    def __init__(self, *, app: App, options: WorkerOptions, link: socket.socket) -> None:
        super().__init__(app=app, options=options, link=link)
        self._threads = JobThreads(self._run_in_thread, most=options.concurrency)
        self._arrived: deque[tuple[Slot, ClaimedJob]] = deque()
        self._is_flush_due = False
        self._is_leaving = False

    def run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            threading.Thread(target=self._send_ends, name="outbox", daemon=True).start()
            self._serve_control(self._loop)
            threading.Thread(target=self._announce, name="announcement", daemon=True).start()
            run_loop(self._loop, is_over=lambda: self._is_leaving)

    def _leave(self) -> None:
        self._is_leaving = True
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _accept(self, message: RunJobs) -> None:
        super()._accept(message)
        if self._arrived:
            self._loop.call_soon_threadsafe(self._start_arrived)

    def _start(self, slot: Slot, assignment: ClaimedJob) -> None:
        if self._calls.belongs_on_loop(assignment):
            self._arrived.append((slot, assignment))
        else:
            self._threads.submit(slot, assignment)

    def _start_arrived(self) -> None:
        while self._arrived:
            slot, assignment = self._arrived.popleft()
            slot.task = job_task(self._run_on_loop(slot, assignment), loop=self._loop)

    async def _run_on_loop(self, slot: Slot, assignment: ClaimedJob) -> None:
        with exiting_on_fault():
            end = await self._runner.run_on_loop(slot, assignment)
            if end.could_not_connect:
                self._give_back(slot, end)
                await undisturbed(self._connecting.wait_on_loop(slot))
                self._take_up(slot)
                return
            self._end(slot, end)
        # Jobs that end in the same turn of the loop travel together.
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        self._outbox.flush()

    def _run_in_thread(self, slot: Slot, assignment: ClaimedJob) -> None:
        with exiting_on_fault():
            end = self._runner.run_in_thread(slot, assignment)
            if end.could_not_connect:
                self._give_back(slot, end)
                self._connecting.wait()
                adopt_connections(slot)
                self._take_up(slot)
                return
            self._end(slot, end)
            self._outbox.flush_soon()

    def _send_ends(self) -> None:
        with exiting_on_fault():
            self._outbox.serve()


class OneJobChild(ChildProcess):
    """Runs one job at a time in the main thread, where a signal interrupts any wait."""

    def __init__(self, *, app: App, options: WorkerOptions, link: socket.socket) -> None:
        super().__init__(app=app, options=options, link=link)
        self._arrived: SimpleQueue[tuple[Slot, ClaimedJob] | None] = SimpleQueue()

    def run(self) -> None:
        with asyncio.Runner() as runner:
            self._serve_control(runner.get_loop())
            self._announce()
            while (arrived := self._arrived.get()) is not None:
                with exiting_on_fault():
                    self._serve(runner, *arrived)

    def _serve(self, runner: asyncio.Runner, slot: Slot, assignment: ClaimedJob) -> None:
        end = self._run_here(runner, slot, assignment)
        if end.could_not_connect:
            self._give_back(slot, end)
            self._connecting.wait()
            adopt_connections(slot)
            self._take_up(slot)
            return
        self._end(slot, end)
        self._outbox.flush()

    def _leave(self) -> None:
        self._arrived.put(None)

    def _start(self, slot: Slot, assignment: ClaimedJob) -> None:
        self._arrived.put((slot, assignment))

    def _run_here(self, runner: asyncio.Runner, slot: Slot, assignment: ClaimedJob) -> Completion:
        if not self._calls.belongs_on_loop(assignment):
            return self._runner.run_in_thread(slot, assignment)

        async def run() -> Completion:
            slot.task = asyncio.current_task()
            return await self._runner.run_on_loop(slot, assignment)

        loop = runner.get_loop()
        task = job_task(run(), loop=loop)
        task.add_done_callback(lambda _: loop.stop())
        run_loop(loop, is_over=task.done)
        return task.result()


def job_task(work: Coroutine[Any, Any, T], *, loop: asyncio.AbstractEventLoop) -> asyncio.Task[T]:
    """Makes the task of one job: by no factory that another job has set, and in no job's list of all tasks.

    Who cancels all tasks, as a program does that ends, means those of its own job.
    """
    task = asyncio.Task(work, loop=loop, context=fresh_context())
    asyncio.tasks._unregister_task(task)
    return task


def run_loop(loop: asyncio.AbstractEventLoop, *, is_over: Callable[[], bool]) -> None:
    """Runs the event loop that the jobs share until it is over, whichever of them stops it or exits.

    ``SystemExit`` of a task that a job started goes to whoever awaits that task, and out of the loop.
    """
    while not is_over():
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            logger.warning("%s in what a job started ends no neighbour", type(error).__name__)


def run_child(*, app: App, options: WorkerOptions, link: socket.socket) -> None:
    """Runs the child that fits the concurrency."""
    kind = OneJobChild if options.concurrency == 1 else ManyJobsChild
    kind(app=app, options=options, link=link).run()


@contextlib.contextmanager
def exiting_on_fault() -> Iterator[None]:
    """Ends the process when the machinery around the jobs fails: the worker sees that, and they run again.

    Neither a task's own errors come here, nor what it returned or left behind. A slot that forgot its job
    would look busy for ever, and a child that does not hear its worker any more would look alive.
    """
    try:
        yield
    except BaseException:
        try:
            logger.critical("The machinery around the jobs failed; this child exits", exc_info=True)
            logging.shutdown()
        finally:  # also when there is no memory, or no stack, left to say so
            os._exit(EXIT_BROKEN)
