"""Workers that go one step at a time: each in a thread and a database session of its own, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import OperationalError, connection

from payments.exceptions import PaymentError
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from tests.faults.points import Died, Point, Side, visited_by
from tests.house import House

_PATIENCE = 60.0
# Asked under a lock of the process, which workers of one process share here and those of several do not.
_UNDER_A_LOCK = "payments.unexplained"


class Stuck(AssertionError):
    """A worker neither comes to its next point nor ends: it waits for what another one holds."""


class Worker:
    """Somebody at work, who stands at a point and waits until they are told what happens there.

    They stand where no transaction is open: before and after a call, and after a commit.
    """

    def __init__(self, house: House, work: Callable[[], object]) -> None:
        self._house, self._work = house, work
        self.place: tuple[Point, Side] | None = None
        self.error: BaseException | None = None
        self._dies_here = self._dies_before_commit = False
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._wait()

    @property
    def is_at_work(self) -> bool:
        return self._thread.is_alive()

    def step(self) -> None:
        """Let them go to their next point, or to their end."""
        if self.is_at_work:
            self._go.release()
            self._wait()

    def answer_badly(self, kind: FaultKind) -> None:
        """Let the call they are about to make go wrong."""
        if self.place is not None and self.place[0].kind == "call" and self.place[1] is Side.BEFORE:
            self._house.stripe.core.faults.insert(0, Fault(kind))
        self.step()

    def die(self, *, before_commit: bool = False) -> None:
        """Kill them where they stand, or in the transaction that they would commit next."""
        self._dies_here, self._dies_before_commit = not before_commit, before_commit
        while self.is_at_work:
            self.step()

    def finish(self) -> None:
        """Let them do all that is left."""
        while self.is_at_work:
            self.step()

    def _run(self) -> None:
        try:
            with visited_by(self._visit):
                self._work()
        except (Died, PaymentError, OperationalError):
            pass
        except BaseException as error:
            self.error = error
        finally:
            connection.close()
            self.place = None
            self._back.release()

    def _visit(self, point: Point, side: Side) -> None:
        if point.kind == "commit" and side is Side.BEFORE:
            if self._dies_before_commit:
                raise Died(f"{side} {point}")
            return
        if _UNDER_A_LOCK in point.name:
            return
        self.place = point, side
        self._back.release()
        self._go.acquire()
        if self._dies_here:
            raise Died(f"{side} {point}")

    def _wait(self) -> None:
        if not self._back.acquire(timeout=_PATIENCE):
            raise Stuck(f"after {self.place}")
        if self.place is None:
            self._thread.join(_PATIENCE)
        if self.error is not None:
            raise self.error
