"""The supervisor: forks the worker and its children, reaps them, says why they died, passes SIGTERM on.

It loads the project once and is otherwise as simple as it can be: one thread, no database connection, no
event loop; it refuses to fork otherwise. So its forks are quick (about 10 ms) and clean, share its memory,
and no job can hang it.

::

    manage.py procrastinate worker ── supervisor ──┬── worker        (claims, beats, records)
                                                   ├── child 1       (runs jobs)
                                                   └── child 2 …

A worker that dies or hangs takes its children with it and is started anew, with backoff; it gives the old
one's jobs back first. Should the supervisor itself be killed, the kernel kills the children, and the
worker ends what their jobs started, and then itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from procrastinate.app import App

from procrastinate_tasks.exceptions import CannotFork
from procrastinate_tasks.worker.child.process import run_child
from procrastinate_tasks.worker.greeting import say
from procrastinate_tasks.worker.messages import (
    Channel,
    ChildExited,
    ChildForked,
    Drain,
    Drained,
    ForkChild,
    KillChild,
    WorkerAlive,
    WorkerRegistered,
)
from procrastinate_tasks.worker.options import WorkerOptions
from procrastinate_tasks.worker.process_hooks import begin_process, end_process
from procrastinate_tasks.worker.processes import (
    EXIT_FAILED,
    LogTail,
    LogTailHandler,
    await_threads,
    end_group,
    end_tree,
    fork,
    lead_group,
    require_fitness,
    set_sentry_aside,
)
from procrastinate_tasks.worker.reloading import EXIT_RELOAD, FileWatch
from procrastinate_tasks.worker.sessions import close_connections, prepare_sessions
from procrastinate_tasks.worker.worker import Worker

logger = logging.getLogger(__name__)

_TICK = 0.5
_SILENCE_SECONDS = 30.0
_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_SOUND_AFTER = 60.0
# On top of the grace: what the worker needs to kill, settle and part. Together below Heroku's 30 s.
_PARTING_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ForkedChild:
    """A running child: its number with the worker, and the log lines it shares with us."""

    number: int
    log_tail: LogTail


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """The running worker, as its supervisor sees it; times on the monotonic clock."""

    pid: int
    channel: Channel
    started: float
    heard: float
    has_drained: bool = False
    worker_ids: list[int] = field(default_factory=list)
    children: dict[int, ForkedChild] = field(default_factory=dict)


class Supervisor:
    """Runs one worker until SIGTERM or SIGINT; further ones change nothing.

    But for a second Ctrl-C at a terminal: somebody sits there, and means now.
    """

    def __init__(self, *, app: App, options: WorkerOptions) -> None:
        self._app = app
        self._options = options
        self._run_id = uuid.uuid4().hex[:8]
        self._selector = selectors.DefaultSelector()
        self._worker: WorkerProcess | None = None
        self._lost_worker_ids: list[int] = []
        self._start_not_before = 0.0
        self._failures = 0
        self._stop_requested: float | None = None
        self._looked = time.monotonic()
        self._start_sentry: Callable[[], None] = lambda: None
        self._code_when_drained = 0
        self._exit_code: int | None = None
        self._why = "no job is left"  # which only a worker that does not wait for more ends of
        self._is_hurried = False
        self._files = FileWatch() if options.reload else None

    def run(self) -> int:
        """Supervises until everything has ended, and returns the exit code.

        Raises:
            CannotFork: The project started threads, or holds a database connection, from before.
        """
        close_connections()
        self._start_sentry = set_sentry_aside()
        await_threads()
        require_fitness()
        gc.freeze()  # what is loaded now is shared with the forks; the collector would copy it page by page
        self._install_signals()
        while self._exit_code is None:
            try:
                self.run_once()
            except CannotFork as hindrance:
                logger.critical("%s The worker stops, to be started anew", hindrance)
                self._code_when_drained = EXIT_FAILED
                self._begin_to_stop("it cannot fork")
        self._forget_signals()
        say("Worker stopped with exit code %d: %s", self._exit_code, self._why)
        return self._exit_code

    def run_once(self) -> None:
        """Waits for a signal, a message or the tick, and acts on what came."""
        if self._worker is None:
            self._start_worker_when_due()
        for key, _ in self._selector.select(timeout=_TICK):
            if key.data is None:
                self._wakeups.recv(4096)
            else:
                self._read(key.data)
        self._reap()
        self._watch()
        self._look_at_files()

    def _look_at_files(self) -> None:
        if self._files is None or self._stop_requested is not None:
            return
        if self._files.is_left_alone():
            self._begin_to_stop("its parent is gone")
        elif (changed := self._files.find_change()) is not None:
            self._code_when_drained = EXIT_RELOAD
            self._begin_to_stop(f"{changed.name} changed")

    # --- Signals --------------------------------------------------------------------------------------------

    def _install_signals(self) -> None:
        self._wakeups, wakeup_end = socket.socketpair()
        self._wakeups.setblocking(False)
        wakeup_end.setblocking(False)
        self._wakeup_end = wakeup_end
        signal.set_wakeup_fd(wakeup_end.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._wakeups, selectors.EVENT_READ, data=None)

    def _forget_signals(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wakeups.close()
        self._wakeup_end.close()

    def _request_stop(self, signal_number: int, _frame: FrameType | None) -> None:
        is_ctrl_c = signal_number == signal.SIGINT and sys.stdin.isatty()
        if self._stop_requested is None:
            self._begin_to_stop(signal.Signals(signal_number).name)
            if is_ctrl_c:
                say("Stopping: running jobs may finish. Ctrl-C again gives them back now.")
        elif is_ctrl_c and not self._is_hurried:
            self._is_hurried = True
            say("Stopping now: running jobs are given back, and run again elsewhere.")
            self._tell_to_drain()

    def _begin_to_stop(self, why: str) -> None:
        if self._stop_requested is None:
            logger.info("%s: stopping", why)
            self._why = why
            self._stop_requested = time.monotonic()
            self._tell_to_drain()

    def _tell_to_drain(self) -> None:
        if self._worker is not None:
            self._send(self._worker, Drain(at_once=self._is_hurried))

    # --- The worker -----------------------------------------------------------------------------------------

    def _start_worker_when_due(self) -> None:
        if self._stop_requested is not None:
            self._exit_code = self._code_when_drained
            return
        if time.monotonic() < self._start_not_before:
            return
        ours, theirs = socket.socketpair()
        pid = fork(
            lambda: self._run_worker(theirs),
            name="queue worker",
            closing=self._closed_in_forks(ours),
            dies_with_parent=False,  # it ends what the jobs of the dead children started, and then itself
        )
        theirs.close()
        now = time.monotonic()
        self._worker = WorkerProcess(pid=pid, channel=Channel(ours), started=now, heard=now)
        self._selector.register(ours, selectors.EVENT_READ, data=self._worker)

    def _run_worker(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._start_sentry()
        prepare_sessions(f"worker upkeep {socket.gethostname()}"[:63])
        worker = Worker(
            app=self._app,
            options=self._options,
            channel=Channel(end),
            lost_worker_ids=self._lost_worker_ids,
        )
        asyncio.run(worker.run())

    def _closed_in_forks(self, *ends: socket.socket) -> list[socket.socket | selectors.BaseSelector]:
        held: list[socket.socket | selectors.BaseSelector] = [*ends, self._wakeups, self._wakeup_end]
        if self._worker is not None:
            held.append(self._worker.channel.socket)
        return [*held, self._selector]

    def _read(self, worker: WorkerProcess) -> None:
        messages = worker.channel.receive()
        if messages is None:
            self._selector.unregister(worker.channel.socket)
            return
        worker.heard = time.monotonic()
        for message in messages:
            self._obey(worker, message)

    def _obey(self, worker: WorkerProcess, message: object) -> None:
        match message:
            case WorkerAlive():
                pass
            case ForkChild(number=number):
                self._fork_child(worker, number)
            case KillChild(number=number):
                self._kill_child(worker, number)
            case WorkerRegistered(worker_id=worker_id):
                worker.worker_ids.append(worker_id)
            case Drained():
                worker.has_drained = True

    def _send(self, worker: WorkerProcess, message: object, *, passing: socket.socket | None = None) -> None:
        try:
            worker.channel.send(message, passing=passing)
        except OSError:
            logger.debug("The worker is gone; its exit will be noticed")

    # --- Its children ---------------------------------------------------------------------------------------

    def _fork_child(self, worker: WorkerProcess, number: int) -> None:
        workers_end, childs_end = socket.socketpair()
        log_tail = LogTail()
        application_name = f"queue child {self._run_id}-{worker.pid}-{number}"
        pid = fork(
            lambda: self._run_child(childs_end, application_name, log_tail),
            name=f"queue child {number}",
            closing=self._closed_in_forks(workers_end),
        )
        childs_end.close()
        worker.children[pid] = ForkedChild(number, log_tail)
        self._send(worker, ChildForked(number, pid, application_name), passing=workers_end)
        workers_end.close()

    def _run_child(self, link: socket.socket, application_name: str, log_tail: LogTail) -> None:
        logging.getLogger().addHandler(LogTailHandler(log_tail))
        lead_group()
        self._start_sentry()
        prepare_sessions(application_name)
        begin_process()
        run_child(app=self._app, options=self._options, link=link)
        end_process()

    def _kill_child(self, worker: WorkerProcess, number: int) -> None:
        for pid, child in worker.children.items():
            if child.number == number:
                end_tree(pid)

    # --- Who ended, and who should --------------------------------------------------------------------------

    def _reap(self) -> None:
        while self._worker is not None:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._worker.pid:
                self._bury_worker(self._worker, status)
            else:
                self._bury_child(self._worker, pid, status, usage.ru_maxrss * 1024)

    def _bury_child(self, worker: WorkerProcess, pid: int, status: int, peak_memory_bytes: int) -> None:
        child = worker.children.pop(pid, None)
        if child is None:
            return
        end_group(pid)  # what its jobs started and left running
        exited = ChildExited(
            number=child.number,
            pid=pid,
            exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
            signal_number=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            peak_memory_bytes=peak_memory_bytes,
            last_log_lines=child.log_tail.read(),
        )
        child.log_tail.close()
        self._send(worker, exited)

    def _bury_worker(self, worker: WorkerProcess, status: int) -> None:
        if worker.channel.socket in self._selector.get_map():
            self._read(worker)  # its last words: whether it drained, under which ids it claimed
        self._end_children(worker)
        self._forget(worker)
        if worker.has_drained:
            self._exit_code = self._code_when_drained
            return
        self._lost_worker_ids += worker.worker_ids
        was_sound = time.monotonic() - worker.started > _SOUND_AFTER
        self._failures = 1 if was_sound else self._failures + 1
        pause = min(_SHORTEST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE)
        self._start_not_before = time.monotonic() + pause
        logger.error("The worker %s; starting another in %.1f s", _in_words(status), pause)

    def _end_children(self, worker: WorkerProcess) -> None:
        for pid in worker.children:
            end_tree(pid)
        for pid in worker.children:
            os.waitpid(pid, 0)

    def _forget(self, worker: WorkerProcess) -> None:
        if worker.channel.socket in self._selector.get_map():
            self._selector.unregister(worker.channel.socket)
        worker.channel.socket.close()
        self._worker = None

    def _watch(self) -> None:
        """Ends a worker whose event loop stands still, or that does not get done with stopping."""
        now = time.monotonic()
        slept, self._looked = now - self._looked, now
        worker = self._worker
        if worker is None:
            return
        if slept > _TICK * 4:
            worker.heard = now  # we were stopped ourselves: its silence proves nothing
        if now - worker.heard > _SILENCE_SECONDS:
            logger.error("The worker gave no sign of life for %g s; killing it", _SILENCE_SECONDS)
            os.kill(worker.pid, signal.SIGKILL)
        limit = self._options.graceful_timeout.total_seconds() + _PARTING_SECONDS
        if self._stop_requested is not None and now - self._stop_requested > limit:
            logger.error("The worker did not stop within %g s; killing it", limit)
            os.kill(worker.pid, signal.SIGKILL)
            self._why += ", which took too long"
            self._exit_code = 1


def _in_words(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit code {os.WEXITSTATUS(status)}"
