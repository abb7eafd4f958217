"""Interruptions reach the job they were meant for, and nothing else in its thread."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
from django.db import OperationalError
from procrastinate.exceptions import JobAborted

from procrastinate_tasks.exceptions import SoftTimeLimitExceeded
from procrastinate_tasks.jobs.claimed_job import ClaimedJob
from procrastinate_tasks.worker.child import interruption
from procrastinate_tasks.worker.child.interruption import (
    raise_abortion,
    raise_soft_limit,
    run_interruptibly,
    withdraw,
)
from procrastinate_tasks.worker.child.slots import Slot
from procrastinate_tasks.worker.options import TimeLimits

PATIENCE = 10.0


@pytest.fixture(name="slot")
def _occupied_slot() -> Iterator[Slot]:
    slot = Slot(index=0)
    slot.occupy(
        ClaimedJob(1, "engine.no_op", "default", 0, None, None, "{}", None, 0, 1, 0), TimeLimits(None, None)
    )
    before = signal.getsignal(signal.SIGUSR1)
    interruption.install_signal()
    yield slot
    signal.signal(signal.SIGUSR1, before)


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(type(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        os.sched_yield()


def waits_for_guard(thread: threading.Thread) -> bool:
    """Tell whether a thread stands where ``withdraw`` begins: with the guard, which the test holds."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code is withdraw.__code__


def test_an_interruption_that_comes_as_the_job_ends_is_called_off(slot: Slot):
    """Without the call that takes it back, the thread's next job would meet it."""
    runs, may_end = threading.Event(), threading.Event()

    def job() -> str:
        runs.set()
        may_end.wait(PATIENCE)
        return "result"

    thread, outcome = in_thread(lambda: run_interruptibly(slot, job))
    assert runs.wait(PATIENCE)
    with slot.guard:
        may_end.set()
        wait_until(lambda: waits_for_guard(thread))
        raise_soft_limit(slot)
    thread.join(PATIENCE)

    assert outcome == ["result"]


def test_one_that_came_before_the_job_began_is_raised_when_it_begins(slot: Slot):
    raise_soft_limit(slot)
    began: list[bool] = []

    thread, outcome = in_thread(lambda: run_interruptibly(slot, lambda: began.append(True)))
    thread.join(PATIENCE)

    assert outcome == [SoftTimeLimitExceeded]
    assert began == []


def test_no_interruption_is_left_in_the_main_thread_once_the_job_has_ended(slot: Slot):
    assert run_interruptibly(slot, lambda: "result") == "result"

    raise_soft_limit(slot)
    raise_abortion(slot)

    assert interruption._in_main_thread == []


def test_the_main_thread_is_interrupted_in_a_wait(slot: Slot):
    ours, theirs = os.pipe()

    def strike() -> None:
        wait_until(lambda: interruption._in_main_thread == [slot])
        raise_soft_limit(slot)

    thread, _ = in_thread(strike)

    with pytest.raises(SoftTimeLimitExceeded):
        run_interruptibly(slot, lambda: os.read(ours, 1))

    thread.join(PATIENCE)
    os.close(ours)
    os.close(theirs)


class StrikingGuard:
    """A guard at whose ``number``-th use an interruption strikes, before it is taken or after it is left."""

    def __init__(self, slot: Slot, number: int, *, after: bool) -> None:
        self._slot = slot
        self._guard = slot.guard
        self._left = number
        self._after = after

    def __enter__(self) -> None:
        self._left -= 1
        if not self._after:
            self._strike()
        self._guard.acquire()

    def __exit__(self, *_: object) -> None:
        self._guard.release()
        if self._after:
            self._strike()

    def _strike(self) -> None:
        if self._left == 0:
            self._left = -1
            raise_soft_limit(self._slot)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("is_aborted", [False, True])
def test_wherever_an_interruption_strikes_the_run_ends_and_nothing_is_left(
    number: int, after: bool, is_aborted: bool, slot: Slot
):
    slot.guard = StrikingGuard(slot, number, after=after)  # type: ignore[assignment]

    with suppress(SoftTimeLimitExceeded, JobAborted):
        run_interruptibly(slot, (lambda: raise_abortion(slot)) if is_aborted else (lambda: None))

    assert (slot.thread_id, slot.task, interruption._in_main_thread) == (None, None, [])
    raise_soft_limit(slot)
    raise_abortion(slot)


def test_the_error_of_a_query_that_was_cancelled_for_a_limit_is_the_limit(slot: Slot):
    def query() -> None:
        slot.interruption = SoftTimeLimitExceeded(seconds=1)  # sent, and its signal is not heard yet
        raise OperationalError from psycopg.errors.QueryCanceled()

    with pytest.raises(SoftTimeLimitExceeded):
        run_interruptibly(slot, query)


def test_an_error_of_the_job_s_own_stays_its_own(slot: Slot):
    def fail() -> None:
        slot.interruption = SoftTimeLimitExceeded(seconds=1)
        raise ValueError("of its own")

    with pytest.raises(ValueError, match="of its own"):
        run_interruptibly(slot, fail)


def test_two_errors_that_name_each_other_as_cause_are_followed_no_further(slot: Slot):
    def fail() -> None:
        slot.interruption = SoftTimeLimitExceeded(seconds=1)
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    with pytest.raises(ValueError, match="first"):
        run_interruptibly(slot, fail)
