"""A storm of kills, stops and dropped sessions over two workers: no job lost, none stuck, none ended twice.

``STORM_SECONDS`` makes it longer than the half minute it lasts by default.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.workers import StartedWorker, forks_of, insert_jobs, query, started_worker, wait_for

SECONDS = float(os.environ.get("STORM_SECONDS", "25"))
OPTIONS = ("--processes", "2", "--concurrency", "4", "--max-jobs", "50")


class Fleet:
    """Two workers as on two hosts; whoever dies is started anew."""

    def __init__(self, stack: ExitStack, log: Path) -> None:
        self._stack = stack
        self._log = log
        self._workers = [self._start() for _ in range(2)]
        self._stopped: list[tuple[float, list[int]]] = []

    def tend(self) -> None:
        """Replaces dead workers, and wakes stopped ones whose time has come."""
        self._workers = [
            worker if worker.process.poll() is None else self._start() for worker in self._workers
        ]
        due = [pids for wake_at, pids in self._stopped if wake_at <= time.monotonic()]
        self._stopped = [entry for entry in self._stopped if entry[0] > time.monotonic()]
        for pids in due:
            send(pids, signal.SIGCONT)

    def wake_all(self) -> None:
        for _, pids in self._stopped:
            send(pids, signal.SIGCONT)
        self._stopped.clear()

    def faults(self) -> list[Callable[[random.Random], None]]:
        return [
            self._kill_child,
            self._kill_child,
            self._kill_worker,
            self._kill_all,
            self._stop,
            drop_sessions,
        ]

    def _start(self) -> StartedWorker:
        return self._stack.enter_context(started_worker(self._log, *OPTIONS, wait_until_up=False))

    def _kill_child(self, dice: random.Random) -> None:
        send(dice.choice(self._workers).fork_named("queue child")[:1], signal.SIGKILL)

    def _kill_worker(self, dice: random.Random) -> None:
        send(dice.choice(self._workers).fork_named("queue worker"), signal.SIGKILL)

    def _kill_all(self, dice: random.Random) -> None:
        send([dice.choice(self._workers).pid], signal.SIGKILL)

    def _stop(self, dice: random.Random) -> None:
        """Stops a whole host for longer than its silence is tolerated."""
        if self._stopped:
            return
        worker = dice.choice(self._workers)
        pids = [worker.pid, *forks_of(worker.pid)]
        send(pids, signal.SIGSTOP)
        self._stopped.append((time.monotonic() + 6, pids))


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def drop_sessions(dice: random.Random) -> None:
    query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND (application_name LIKE 'worker %%' OR application_name LIKE 'queue child%%')"
        " AND random() < 0.5"
    )


@pytest.fixture
def fleet(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setenv("ENGINE_MAX_CRASHES", "1000")
    with ExitStack() as stack:
        fleet = Fleet(stack, log)
        yield fleet
        fleet.wake_all()


def unfinished() -> int:
    rows = query("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return int(rows[0][0])


def is_calm(fleet: Fleet) -> bool:
    fleet.tend()
    return unfinished() == 0


def test_every_job_ends_exactly_once(fleet: Fleet):
    dice = random.Random(2026)  # noqa: S311 - the same storm each time
    ends_at = time.monotonic() + SECONDS
    next_fault_at = time.monotonic() + 3

    while time.monotonic() < ends_at:
        fleet.tend()
        if unfinished() < 100:
            insert_jobs("engine.sleep", {"seconds": 0.05}, count=100)
            insert_jobs("engine.async_sleep", {"seconds": 0.05}, count=100)
        if time.monotonic() >= next_fault_at:
            dice.choice(fleet.faults())(dice)
            next_fault_at = time.monotonic() + dice.uniform(0.3, 1.2)
        time.sleep(0.05)
    fleet.wake_all()

    wait_for(lambda: is_calm(fleet), within=30)
    assert query("SELECT DISTINCT status::text FROM procrastinate_jobs") == [("succeeded",)]
    assert (
        query(
            "SELECT job_id FROM procrastinate_events WHERE type = 'succeeded' GROUP BY 1 HAVING count(*) <> 1"
        )
        == []
    )
