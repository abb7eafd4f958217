"""Two workers as on two hosts, and what can befall them; a host that dies is started anew at once."""

from __future__ import annotations

import itertools
import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.workers.storm.ledger import PATH_VARIABLE
from tests.workers.storm.plan import FaultKind
from tests.workers.workers import StartedWorker, send, started_worker

HOSTS = 2
OPTIONS = ("--processes", "2", "--concurrency", "4", "--max-jobs", "400")
LEDGER = "ledger"
SETTINGS = "tests.workers.storm.settings"
# A host is taken for dead after 3.5 s, and its jobs start elsewhere within 5 s.
FROZEN_SECONDS = 7.0


class Fleet:
    """The hosts, each with its supervisor, worker and children."""

    def __init__(self, stack: ExitStack, *, directory: Path, database_url: str) -> None:
        self._stack = stack
        self._directory = directory
        self._starts = itertools.count(1)
        self._environment = {PATH_VARIABLE: str(directory / LEDGER)}
        self._database_url = database_url
        self._hosts = [self._start() for _ in range(HOSTS)]
        self._frozen: list[int] = []
        self._wake_at = 0.0

    @property
    def is_up(self) -> bool:
        """Whether every host has a child that may run jobs."""
        return all(host.fork_named("queue child") for host in self._hosts)

    def tend(self) -> None:
        """Starts dead hosts anew, and wakes a frozen one whose time has come."""
        self._hosts = [host if host.process.poll() is None else self._start() for host in self._hosts]
        if self._frozen and time.monotonic() >= self._wake_at:
            self.wake()

    def wake(self) -> None:
        """Lets a frozen host go on."""
        send(self._frozen, signal.SIGCONT)
        self._frozen = []

    def strike(self, kind: FaultKind, dice: random.Random) -> bool:
        """Strikes one host; False if there is nobody to strike at the moment."""
        host = dice.choice(self._hosts)
        if kind is FaultKind.FREEZE:
            return self._freeze(host)
        pids = victims(host, kind)
        if not pids:
            return False
        send([dice.choice(pids)], signal.SIGKILL)
        return True

    def _freeze(self, host: StartedWorker) -> bool:
        pids = host.pids()
        if self._frozen or len(pids) < 3:
            return False
        send(pids, signal.SIGSTOP)
        self._frozen = pids
        self._wake_at = time.monotonic() + FROZEN_SECONDS
        return True

    def _start(self) -> StartedWorker:
        return self._stack.enter_context(
            started_worker(
                self._directory / f"worker-{next(self._starts)}.log",
                *OPTIONS,
                database_url=self._database_url,
                settings_module=SETTINGS,
                environment=self._environment,
                wait_until_up=False,
            )
        )


def victims(host: StartedWorker, kind: FaultKind) -> list[int]:
    """Whom a kill may meet; a supervisor only once it has a worker, or it would be killed at its start."""
    if kind is FaultKind.KILL_CHILD:
        return host.fork_named("queue child")
    workers = host.fork_named("queue worker")
    return workers if kind is FaultKind.KILL_WORKER else [host.pid][: len(workers)]
