"""Rolls from one release to the other and back, and kills somebody all the while."""

from __future__ import annotations

import itertools
import random
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.workers.deploys.checkouts import Checkout
from tests.workers.postgres import Server
from tests.workers.storm.fleet import LEDGER, victims
from tests.workers.storm.ledger import read_runs
from tests.workers.storm.plan import KILLS, FaultKind
from tests.workers.workers import StartedWorker, send, wait_for

# Both releases serve side by side for this long; then the outgoing one is told to stop.
OVERLAP_SECONDS = 2.0
# Jobs that only the incoming release knows, ordered before it is started.
_WAITING = 3
_ORDER = """
INSERT INTO procrastinate_jobs (task_name, queue_name, args)
SELECT %s, 'default', jsonb_build_object('key', -number)
FROM generate_series(%s::bigint, %s::bigint) AS number
RETURNING id
"""
_UNFINISHED = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A worker that came up while jobs waited that only it could run; on the machine's monotonic clock."""

    up_at: float
    waiting: list[int]


@dataclass(slots=True)
class Rolled:
    """What was done: arrivals, and whom a kill met, when."""

    arrivals: list[Arrival] = field(default_factory=list)
    kills: list[tuple[float, FaultKind]] = field(default_factory=list)


class Roller:
    """One host of the outgoing release, one of the incoming one; a host that is killed is started anew."""

    def __init__(self, server: Server, *, directory: Path, seed: int, stack: ExitStack) -> None:
        self._server = server
        self._directory = directory
        self._ledger = directory / LEDGER
        self._dice = random.Random(seed)  # noqa: S311 - the same kills each time, as far as there are the same
        self._stack = stack
        self._logs = itertools.count(1)
        self._keys = itertools.count(1, _WAITING)
        self._hosts: dict[str, StartedWorker] = {}
        self.rolled = Rolled()

    def roll(self, outgoing: Checkout, incoming: Checkout, *, kills: int) -> None:
        """One deploy: the incoming release starts, both serve, the outgoing one stops; with kills."""
        self._keep(outgoing)
        waiting = self._order_for(incoming)
        self._keep(incoming)
        self._watch_arrival(incoming, waiting)
        if self._dice.random() < 0.5:  # else a kill may meet it before it has begun its first job
            wait_for(lambda: self._has_begun(waiting))
        self._kill_around(kills, [outgoing, incoming])
        self._stop(outgoing)

    def finish(self, *checkouts: Checkout, within: float) -> None:
        """Lets both releases work until nothing is left."""
        for checkout in checkouts:
            self._keep(checkout)
        wait_for(lambda: self._server.rows(_UNFINISHED) == [(0,)], within=within)
        for checkout in checkouts:
            self._stop(checkout)

    def _order_for(self, checkout: Checkout) -> list[int]:
        first = next(self._keys)
        rows = self._server.rows(_ORDER, checkout.only_here, first, first + _WAITING - 1)
        return [job_id for (job_id,) in rows]

    def _watch_arrival(self, checkout: Checkout, waiting: list[int]) -> None:
        host = self._hosts[checkout.release]
        wait_for(lambda: host.fork_named("queue child"))
        self.rolled.arrivals.append(Arrival(time.monotonic(), waiting))

    def _has_begun(self, waiting: list[int]) -> bool:
        return any(run.job_id in waiting for run in read_runs(self._ledger))

    def _kill_around(self, kills: int, checkouts: list[Checkout]) -> None:
        """Kills somebody ``kills`` times in the overlap; the instants are drawn."""
        began = time.monotonic()
        for instant in sorted(self._dice.uniform(0, OVERLAP_SECONDS) for _ in range(kills)):
            wait_for(lambda at=began + instant: time.monotonic() >= at)  # type: ignore[misc]
            wait_for(lambda: self._kill_one(checkouts))
        wait_for(lambda: time.monotonic() >= began + OVERLAP_SECONDS)

    def _kill_one(self, checkouts: list[Checkout]) -> bool:
        for checkout in checkouts:
            self._keep(checkout)
        kind = self._dice.choice(KILLS)
        pids = victims(self._hosts[self._dice.choice(checkouts).release], kind)
        if not pids:
            return False
        send([self._dice.choice(pids)], signal.SIGKILL)
        self.rolled.kills.append((time.monotonic(), kind))
        return True

    def _keep(self, checkout: Checkout) -> None:
        """Starts a host of this release unless one runs."""
        host = self._hosts.get(checkout.release)
        if host is None or host.process.poll() is not None:
            log = self._directory / f"{checkout.release}-{next(self._logs)}.log"
            self._hosts[checkout.release] = self._stack.enter_context(checkout.worker(log))

    def _stop(self, checkout: Checkout) -> None:
        host = self._hosts.pop(checkout.release)
        host.stop()


def seconds_until_started(rolled: Rolled, ledger: Path) -> list[float]:
    """Seconds from each arrival to the first run of a job that waited for it, where no kill came between."""
    began: dict[int, float] = {}
    for run in read_runs(ledger):
        began.setdefault(run.job_id, run.began_at)
    spans = [(arrival.up_at, min(began[job_id] for job_id in arrival.waiting)) for arrival in rolled.arrivals]
    return [
        max(0.0, first - up) for up, first in spans if not any(up <= at <= first for at, _ in rolled.kills)
    ]
