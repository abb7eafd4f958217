"""What goes wrong while balances are collected: calls that are answered badly, workers that are killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from benchmarks.processes import WorkerProcess
from reyes_estancias.local_stripe.control import Control
from reyes_estancias.local_stripe.faults import Fault, FaultKind

# A slow answer would only cost time, a refused key pauses the queue until a person resumes it, and a 500 that
# came before anything was done is repeated by Stripe for a day: that is waited out, in `make faults`.
_LEFT_OUT = (FaultKind.SLOW_BEFORE, FaultKind.SLOW_AFTER, FaultKind.UNAUTHORIZED, FaultKind.ERROR_BEFORE)
KINDS = tuple(kind for kind in FaultKind if kind not in _LEFT_OUT)
# So many balances are under way: their calls are what may be struck next.
_AHEAD = 20


@dataclass(slots=True)
class Strikes:
    """Keeps faults armed at the local Stripe, so that there were ``each`` for every balance paid."""

    control: Control
    each: float
    rng: random.Random
    struck: int = 0
    _armed: int = 0

    def keep_up_with(self, paid: int) -> None:
        wanted = int((paid + _AHEAD) * self.each)
        while self._armed < wanted:
            self.control.arm_fault(
                Fault(self.rng.choice(KINDS), path="/v1/*", skip=self.rng.randrange(2 * _AHEAD))
            )
            self._armed += 1

    def stop(self) -> None:
        """Let no more happen, and count what did."""
        self.struck = self._armed - self.control.faults_left()
        self.control.clear_faults()


@dataclass(slots=True)
class Kills:
    """Workers, of which one is killed now and then; another takes its place at once.

    ``every`` is the average time between two kills, in seconds; 0 kills nobody.
    """

    start_worker: Callable[[int], WorkerProcess]
    count: int
    every: float
    seed: int
    killed: int = 0
    _workers: list[WorkerProcess] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._workers += [self.start_worker(number) for number in range(self.count)]
        if self.every:
            self._thread = threading.Thread(target=self._run, name="kills")
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_killing()
        for worker in self._workers:
            worker.stop()

    def stop_killing(self) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        rng = random.Random(self.seed)  # noqa: S311
        while not self._is_over.wait(rng.expovariate(1 / self.every)):
            number = rng.randrange(self.count)
            self._workers[number].kill()
            self._workers[number] = self.start_worker(number)
            self.killed += 1
