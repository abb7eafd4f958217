"""Lets planned faults strike, and keeps a list of those that did."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import psycopg

from tests.workers.postgres import Server
from tests.workers.storm.fleet import Fleet
from tests.workers.storm.plan import FaultKind, PlannedFault

_SESSIONS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
  AND pid <> pg_backend_pid() AND application_name <> 'storm load'
ORDER BY pid
"""


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that struck, on the monotonic clock."""

    kind: FaultKind
    at: float


class Faults:
    """The planned faults in order; one that finds no victim waits for one, and the others wait behind it."""

    def __init__(self, plan: list[PlannedFault], *, fleet: Fleet, server: Server, seed: int) -> None:
        self._plan = list(plan)
        self._fleet = fleet
        self._server = server
        self._dice = random.Random(seed)  # noqa: S311 - the same victims each time, as far as there are the same
        self._began = time.monotonic()
        self.strikes: list[Strike] = []

    @property
    def are_over(self) -> bool:
        return not self._plan

    def strike_if_due(self) -> None:
        """Lets the next fault strike if its time has come."""
        now = time.monotonic()
        if self._plan and self._plan[0].at <= now - self._began and self._strike(self._plan[0].kind):
            self.strikes.append(Strike(self._plan.pop(0).kind, now))

    def _strike(self, kind: FaultKind) -> bool:
        if kind is FaultKind.END_SESSION:
            return self._end_session()
        if kind in (FaultKind.RESTART, FaultKind.CRASH):
            self._restart(kind)
            return True
        return self._fleet.strike(kind, self._dice)

    def _restart(self, kind: FaultKind) -> None:
        if kind is FaultKind.CRASH:
            self._server.crash()
        else:
            self._server.stop()
        self._server.start()

    def _end_session(self) -> bool:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            pids = [pid for (pid,) in connection.execute(_SESSIONS).fetchall()]
            if not pids:
                return False
            ended = connection.execute("SELECT pg_terminate_backend(%s)", [self._dice.choice(pids)])
            return ended.fetchone() == (True,)
