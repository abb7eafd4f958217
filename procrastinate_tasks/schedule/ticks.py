"""Periodic tasks: each tick of a schedule defers exactly one job, however many workers run.

A schedule is a row. Whoever finds a tick due locks the row, defers the job and moves the row's last tick in
one transaction; another worker then finds nothing due. The clock is the database's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import atomic, database_alias, database_now, fetch_rows, statement
from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone
from procrastinate_tasks.models import ScheduleState
from procrastinate_tasks.schedule.periodic import Schedule, all_schedules, defer_job
from procrastinate_tasks.schedule.policies import CatchUp, decide_ticks

if TYPE_CHECKING:
    from procrastinate_tasks.schedule.periodic import periodic


__all__ = ["CatchUp", "ScheduleReport", "periodic", "run_once"]

logger = logging.getLogger(__name__)

_MOST_TICKS_COUNTED = 1000

_LOCK_SCHEDULE = """
-- Lock a schedule's row, unless another process has it or it is disabled, and tell after which instant its
-- due ticks lie.
SELECT greatest(last_tick_at, (known_since ->> %(definition)s)::timestamptz) AS floor
FROM procrastinate_tasks_schedulestate
WHERE name = %(name)s
  AND disabled_at IS NULL
FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferredTick:
    """A tick that became a job; ``job_id`` is None when a job with its queueing lock already waited."""

    schedule_name: str
    tick_at: datetime
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleReport:
    """What one look at the schedules did; ``next_at`` is the next tick of any, seen at ``now``."""

    now: datetime
    deferred: tuple[DeferredTick, ...]
    next_at: datetime | None


def run_once(now: datetime | None = None) -> ScheduleReport:
    """Defer the ticks that are due.

    Any number of processes may call it at any time. A schedule that fails is logged and does not hold up
    others.

    Args:
        now: by default the database's clock.
    """
    now = now or database_now()
    floors = _floors(now)
    deferred: list[DeferredTick] = []
    upcoming: list[datetime] = []
    for schedule in all_schedules():
        if schedule.name not in floors:
            continue  # it is disabled
        try:
            next_at = schedule.cron.next_after(floors[schedule.name])
            if next_at is not None and next_at <= now:
                deferred += _defer_due(schedule, now=now)
                next_at = schedule.cron.next_after(now)
        except (InvalidCron, UnknownTimeZone) as error:
            logger.error("Schedule cannot run", extra={"schedule": schedule.name, "error": str(error)})
        except Exception:
            logger.exception("Schedule failed", extra={"schedule": schedule.name})
        else:
            upcoming += [next_at] if next_at is not None else []
    return ScheduleReport(now=now, deferred=tuple(deferred), next_at=min(upcoming, default=None))


def _defer_due(schedule: Schedule, *, now: datetime) -> list[DeferredTick]:
    """Defer a schedule's due ticks in one transaction with the record of them."""
    with atomic():
        rows = fetch_rows(_LOCK_SCHEDULE, name=schedule.name, definition=schedule.definition)
        if not rows:
            return []  # another process defers the same ticks, or somebody has just disabled them
        return _defer_ticks(schedule, floor=rows[0]["floor"], now=now)


def _defer_ticks(schedule: Schedule, *, floor: datetime, now: datetime) -> list[DeferredTick]:
    settings = queue_settings()
    at_most = max(_MOST_TICKS_COUNTED, settings.catch_up_limit)
    ticks, _ = schedule.cron.ticks_between(floor, now, at_most=at_most)
    if not ticks:
        return []
    decision = decide_ticks(
        ticks,
        now=now,
        catch_up=schedule.catch_up,
        grace=settings.schedule_grace,
        limit=settings.catch_up_limit,
    )
    deferred = [
        DeferredTick(schedule_name=schedule.name, tick_at=tick, job_id=defer_job(schedule, tick_at=tick))
        for tick in decision.defer
    ]
    ScheduleState.objects.using(database_alias()).filter(name=schedule.name).update(
        last_tick_at=ticks[-1],
        missed_count=F("missed_count") + decision.missed,
        **_columns_of_last(deferred, now=now),
    )
    _log_ticks(deferred, now=now, missed=decision.missed)
    return deferred


def _columns_of_last(deferred: list[DeferredTick], *, now: datetime) -> dict[str, Any]:
    """Return what a schedule's row keeps of the last tick that became a job, if one did."""
    if not deferred:
        return {}
    job = {} if deferred[-1].job_id is None else {"last_job_id": deferred[-1].job_id}
    return {"last_deferred_tick_at": deferred[-1].tick_at, "last_deferred_at": now, **job}


def _log_ticks(deferred: list[DeferredTick], *, now: datetime, missed: int) -> None:
    for tick in deferred:
        logger.info(
            "Tick deferred",
            extra={
                "schedule": tick.schedule_name,
                "tick_at": tick.tick_at.isoformat(),
                "late_seconds": round((now - tick.tick_at).total_seconds(), 3),
                "deferred_job_id": tick.job_id,
                "missed": missed,
            },
        )


def _floors(now: datetime) -> dict[str, datetime]:
    """Return, for each enabled schedule, the instant its due ticks lie after; make the rows of new ones."""
    schedules = all_schedules()
    rows = fetch_rows(
        statement("schedule/know_schedules"),
        names=[schedule.name for schedule in schedules],
        definitions=[schedule.definition for schedule in schedules],
        now=now,
    )
    return {row["name"]: row["floor"] for row in rows}
