"""What every worker does beside its jobs: schedule, rescue, alerts, retention, the roll-up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import close_old_connections

from procrastinate_tasks import operations, rescue, retention, rollup, schedule
from procrastinate_tasks.alerting import delivery, evaluation
from procrastinate_tasks.conf import queue_settings

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
        except Exception:
            logger.exception("Side task failed, will be tried again", extra={"side_task": self.name})
        self.due_at = time.monotonic() + max(pause, _SHORTEST_PAUSE_SECONDS)


def run_schedule() -> float:
    report = schedule.run_once()
    longest = queue_settings().rescue_every.total_seconds()
    if report.next_at is None:
        return longest
    wait = (report.next_at - report.now).total_seconds() + _PAUSE_AFTER_TICK_SECONDS
    return min(wait, longest)


def run_rescue(may_rescue: Callable[[], bool]) -> float:
    """Rescue, unless this process cannot judge: it was out of touch with the database itself."""
    if may_rescue():
        rescue.run_once()
    return queue_settings().rescue_every.total_seconds()


def run_retention() -> float:
    return 0 if retention.run_once().has_more else queue_settings().retention_every.total_seconds()


def run_rollup() -> float:
    """Sum up; then wait for the end of a slot, and a little, so that what ended in it is recorded."""
    if rollup.run_once().has_more:
        return 0
    slot = rollup.SLOT.total_seconds()
    return slot - time.time() % slot + _PAUSE_AFTER_SLOT_SECONDS


def run_alerts() -> float:
    """Look after the alerts; whatever is to be told is sent on another thread."""
    if evaluation.run_once() is not None:
        delivery.deliver_in_background()
    return queue_settings().alert_every.total_seconds()


def run_limits() -> float:
    """Lift the limits whose last declarer died; one that was stopped did so itself."""
    operations.lift_limits()
    return queue_settings().retention_every.total_seconds()


def prompt_routines(*, may_rescue: Callable[[], bool] = lambda: True) -> list[Routine]:
    """Return what people wait for: beside it runs no project's code, and nothing that takes long."""
    return [
        Routine("schedule", run_schedule),
        Routine("rescue", lambda: run_rescue(may_rescue)),
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
