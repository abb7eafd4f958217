"""Periodic tasks: each tick of a schedule defers exactly one job, however many workers run.

A schedule is a row. Whoever finds a tick due locks the row, defers the job and moves the row's last tick in
one transaction; another worker then finds nothing due. The clock is the database's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.conf import settings as django_settings
from django.db import transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.tasks import Task

from procrastinate_tasks import deferring
from procrastinate_tasks.adopted_tasks import AdoptedTask, adopted_tasks
from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.cron import Cron
from procrastinate_tasks.exceptions import (
    InvalidCron,
    ScheduleNameTaken,
    UnknownSchedule,
    UnknownTimeZone,
)
from procrastinate_tasks.policies import CatchUp, decide_ticks
from procrastinate_tasks.statements import statement

__all__ = ["CatchUp", "ScheduleReport", "periodic", "run_once"]

logger = logging.getLogger(__name__)

AnyTask = TypeVar("AnyTask", bound=Task[..., Any, ...])

_MOST_TICKS_COUNTED = 1000
_build_cron = cache(Cron)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a task is deferred by itself. ``zone_name`` is None for the project's ``TIME_ZONE``.

    ``adopted_from`` is what Procrastinate's own ``@app.periodic`` declared, if that is where it comes from.
    """

    name: str
    task_name: str
    cron_expression: str
    catch_up: CatchUp
    zone_name: str | None = None
    args: Mapping[str, object] = field(default_factory=dict)
    queueing_lock: str | None = None
    priority: int | None = None
    adopted_from: AdoptedTask | None = None

    @property
    def zone(self) -> str:
        return self.zone_name or django_settings.TIME_ZONE

    @property
    def cron(self) -> Cron:
        """The cron expression in its zone.

        Raises:
            InvalidCron, UnknownTimeZone: reported by the system checks too.
        """
        return _build_cron(self.cron_expression, self.zone)

    @property
    def definition(self) -> str:
        """What decides the ticks: a change of it starts a new history."""
        return f"{self.cron_expression} {self.zone}"


_schedules_by_name: dict[str, Schedule] = {}


def periodic(
    *,
    cron: str,
    catch_up: CatchUp = CatchUp.LAST,
    timezone: str | None = None,
    schedule_id: str = "",
    args: Mapping[str, object] | None = None,
    queueing_lock: str | None = None,
    priority: int | None = None,
) -> Callable[[AnyTask], AnyTask]:
    """Defer a task by itself, at the times of a cron expression.

    Where clocks change: a schedule at fixed times runs once for each of its times, a skipped one at the first
    moment after the gap, a repeated one at its first occurrence; a schedule whose minute or hour field starts
    with ``*`` follows real time. A schedule that is new, or whose times were changed, starts with its next
    tick.

    Args:
        cron: minute, hour, day of month, month, day of week, and seconds as an optional sixth field.
        catch_up: what happens to ticks that passed while no worker ran.
        timezone: by default the project's ``TIME_ZONE``.
        schedule_id: tells several schedules of one task apart.
        args: the arguments of the jobs.
        queueing_lock: a tick is skipped while a job with it waits; by default the task's, or else the name of
            the schedule, so that ticks do not pile up behind a pause. With ``CatchUp.ALL``, which wants them
            all, there is none by default.

    Raises:
        ScheduleNameTaken: the task has a schedule with this ``schedule_id``.
    """

    def declare(task: AnyTask) -> AnyTask:
        name = f"{task.name}#{schedule_id}" if schedule_id else task.name
        if name in _schedules_by_name:
            raise ScheduleNameTaken(name)
        _schedules_by_name[name] = Schedule(
            name=name,
            task_name=task.name,
            cron_expression=cron,
            catch_up=catch_up,
            zone_name=timezone,
            args=args or {},
            queueing_lock=queueing_lock or task.queueing_lock or (None if catch_up is CatchUp.ALL else name),
            priority=priority,
        )
        return task

    return declare


def all_schedules() -> tuple[Schedule, ...]:
    """Return the schedules of this process's code: ours, and those of Procrastinate's ``@app.periodic``."""
    return (*_schedules_by_name.values(), *map(_adopt, adopted_tasks()))


def _adopt(adopted: AdoptedTask) -> Schedule:
    """Return the schedule that Procrastinate's worker would keep: in UTC, with the declared locks only."""
    name = adopted.name if adopted.name not in _schedules_by_name else f"{adopted.name}#app.periodic"
    return Schedule(
        name=name,
        task_name=adopted.task_name,
        cron_expression=adopted.cron,
        catch_up=CatchUp.LAST,
        zone_name="UTC",
        adopted_from=adopted,
    )


def find_schedule(name: str) -> Schedule:
    """Return a schedule of this process's code.

    Raises:
        UnknownSchedule: with the nearest name that exists.
    """
    app.perform_import_paths()
    schedules = {schedule.name: schedule for schedule in all_schedules()}
    if name not in schedules:
        raise UnknownSchedule(name, sorted(schedules))
    return schedules[name]


def defer_job(schedule: Schedule, *, tick_at: datetime | None = None) -> int | None:
    """Defer a schedule's job, whatever the time; None when a job with its queueing lock already waits."""
    if schedule.adopted_from is not None:
        return schedule.adopted_from.defer(tick_at or _database_now(), is_tick=tick_at is not None)
    return deferring.defer(
        schedule.task_name, schedule.args, queueing_lock=schedule.queueing_lock, priority=schedule.priority
    )


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
    now = now or _database_now()
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
    connector = _connector()
    with transaction.atomic(using=connector.alias):
        rows = connector.execute_query_all(
            statement("lock_schedule"), name=schedule.name, definition=schedule.definition
        )
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
    _connector().execute_query(
        statement("advance_schedule"),
        name=schedule.name,
        last_tick_at=ticks[-1],
        deferred_tick_at=deferred[-1].tick_at if deferred else None,
        last_job_id=deferred[-1].job_id if deferred else None,
        deferred_at=now,
        missed=decision.missed,
    )
    _log_ticks(deferred, now=now, missed=decision.missed)
    return deferred


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
    rows = _connector().execute_query_all(
        statement("know_schedules"),
        names=[schedule.name for schedule in schedules],
        definitions=[schedule.definition for schedule in schedules],
        now=now,
    )
    return {row["name"]: row["floor"] for row in rows}


def _database_now() -> datetime:
    now: datetime = _connector().execute_query_one("SELECT clock_timestamp() AS now")["now"]
    return now


def _connector() -> DjangoConnector:
    return DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
