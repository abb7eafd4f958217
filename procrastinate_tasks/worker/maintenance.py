"""What a worker does beside its jobs, on threads of their own: schedule, rescue, alerts, retention."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, connections, transaction
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import DATABASE_FAULTS, in_one_line
from procrastinate_tasks.jobs import expiry, rescue, retention
from procrastinate_tasks.models.monitoring import SLOT
from procrastinate_tasks.monitoring import rollup
from procrastinate_tasks.monitoring.alerts import delivery, evaluation
from procrastinate_tasks.queues import control, pauses
from procrastinate_tasks.schedule import ticks

logger = logging.getLogger(__name__)

_SHORTEST_PAUSE_SECONDS = 0.05


_PAUSE_AFTER_TICK_SECONDS = 0.01


_PAUSE_AFTER_SLOT_SECONDS = 10.0


@dataclass
class Routine:
    """An organ's ``run_once`` with its own pace: it answers the seconds until it wants to run again."""

    name: str
    run: Callable[[], float]
    retry_after_seconds: float = 5.0
    due_at: float = field(default=0.0)

    def run_if_due(self, now: float) -> None:
        """Run, and survive whatever goes wrong: the next turn tries again."""
        if now < self.due_at:
            return
        pause = self.retry_after_seconds
        try:
            pause = self.run()
        except DATABASE_FAULTS as fault:
            cause = in_one_line(fault)
            logger.warning("The side task %s failed: %s. It will be tried again", self.name, cause)
        except Exception:
            logger.exception("The side task %s failed. It will be tried again", self.name)
        self.due_at = time.monotonic() + max(pause, _SHORTEST_PAUSE_SECONDS)


def run_schedule() -> float:
    report = ticks.run_once()
    longest = queue_settings().rescue_every.total_seconds()
    if report.next_at is None:
        return longest
    wait = (report.next_at - report.now).total_seconds() + _PAUSE_AFTER_TICK_SECONDS
    return min(wait, longest)


def run_pauses() -> float:
    """Resume what was paused until a time that has come."""
    pauses.end_lapsed_pauses()
    return queue_settings().rescue_every.total_seconds()


def run_rescue(may_rescue: Callable[[], bool], *, refused: rescue.RefusedRuns) -> float:
    """Rescue, unless this process cannot judge: it was out of touch with the database itself."""
    if may_rescue():
        rescue.run_once(refused=refused)
    return queue_settings().rescue_every.total_seconds()


def run_expiry() -> float:
    expiry.run_once()
    return queue_settings().rescue_every.total_seconds()


def run_retention() -> float:
    return 0 if retention.run_once().has_more else queue_settings().retention_every.total_seconds()


def run_rollup() -> float:
    """Sum up; then wait for the end of a slot, and a little, so that what ended in it is recorded."""
    if rollup.run_once().has_more:
        return 0
    slot = SLOT.total_seconds()
    return slot - time.time() % slot + _PAUSE_AFTER_SLOT_SECONDS


def run_alerts() -> float:
    """Look after the alerts; whatever is to be told is sent on another thread."""
    if evaluation.run_once() is not None:
        delivery.deliver_in_background()
    return queue_settings().alert_every.total_seconds()


def run_limits() -> float:
    """Lift the limits whose last declarer died; one that was stopped did so itself."""
    control.lift_limits()
    return queue_settings().retention_every.total_seconds()


def prompt_routines(*, may_rescue: Callable[[], bool] = lambda: True) -> list[Routine]:
    """Return what people wait for: beside it runs no project's code, and nothing that takes long."""
    refused = rescue.RefusedRuns()
    return [
        Routine("schedule", run_schedule),
        Routine("pauses", run_pauses),
        Routine("rescue", lambda: run_rescue(may_rescue, refused=refused)),
        Routine("expiry", run_expiry),
    ]


def patient_routines() -> list[Routine]:
    """Return what may take its time: a project's alert rules, and work that grows with what is stored."""
    return [
        Routine("alerts", run_alerts),
        Routine("limits", run_limits),
        Routine("retention", run_retention),
        Routine("roll-up", run_rollup, retry_after_seconds=60.0),
    ]


class Routines:
    """Organs that keep the queue in order, each at its own pace, run on the calling thread."""

    def __init__(self, routines: Sequence[Routine]) -> None:
        self._routines = routines

    def run_once(self) -> float:
        """Run the routines that are due; return the seconds until the next one is."""
        close_old_connections()
        for routine in self._routines:
            routine.run_if_due(time.monotonic())
        close_old_connections()
        wait = min(routine.due_at for routine in self._routines) - time.monotonic()
        return max(wait, 0.0)


_BOUND = "SET LOCAL statement_timeout = '30s'"


class Upkeep:
    """Runs routines for one worker; a slow query of theirs holds nothing else up."""

    def __init__(self, routines: Routines, *, name: str = "upkeep") -> None:
        self._routines = routines
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._has_opened = asyncio.Event()

    async def opened(self) -> None:
        """Waits until it has had its session for the first time."""
        await self._has_opened.wait()

    async def run_once(self) -> None:
        """Runs what is due and waits until something is again.

        Raises:
            OSError: There is no session to be had yet.
        """
        loop = asyncio.get_running_loop()
        if not self._has_opened.is_set():
            await loop.run_in_executor(self._thread, _open_session)
            self._has_opened.set()
        await asyncio.sleep(await loop.run_in_executor(self._thread, self._routines.run_once))

    async def call(self, work: Callable[[], object], *, within: timedelta) -> None:
        """Does something between the routines, on their session.

        Raises:
            OSError: The database refused, or could not be reached.
            TimeoutError: It took too long; what began may still come to its end.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within.total_seconds()):
            await loop.run_in_executor(self._thread, _on_session, work)

    def close(self) -> None:
        """Takes no more work; a routine that hangs is left behind and ends with the process."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=False)


class Housekeeping(Upkeep):
    """Runs the routines that may take their time."""

    async def run_once(self) -> None:
        """Runs what is due, in statements that are bounded, and waits until something is again."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(await loop.run_in_executor(self._thread, self._run_bounded))

    def _run_bounded(self) -> float:
        try:
            with connections[procrastinate_settings.DATABASE_ALIAS].execute_wrapper(bound_statement):
                return self._routines.run_once()
        finally:
            connections.close_all()


def bound_statement(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Have a statement end within half a minute; set for its transaction alone, which no pooler hands on."""
    wrapper = context["connection"]
    with transaction.atomic(using=wrapper.alias) if not wrapper.in_atomic_block else nullcontext():
        wrapper.connection.execute(_BOUND)
        return execute(sql, params, many, context)


def _open_session() -> None:
    _on_session(connections[procrastinate_settings.DATABASE_ALIAS].ensure_connection)


def _on_session(work: Callable[[], object]) -> None:
    close_old_connections()
    try:
        work()
    except DATABASE_FAULTS as fault:
        raise ConnectionError(str(fault)) from fault
    finally:
        close_old_connections()
