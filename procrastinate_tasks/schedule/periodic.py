"""The ``periodic`` decorator, and the schedules that it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypedDict, TypeVar, Unpack, overload

from django.conf import settings as django_settings
from procrastinate.contrib.django import app
from procrastinate.tasks import Task

from procrastinate_tasks.database import database_now
from procrastinate_tasks.exceptions import ScheduleNameTaken, UnknownSchedule
from procrastinate_tasks.jobs import deferring
from procrastinate_tasks.jobs.calls import require_options
from procrastinate_tasks.schedule.adopted_tasks import AdoptedTask, adopted_tasks
from procrastinate_tasks.schedule.cron import Cron
from procrastinate_tasks.schedule.interval import Interval, find_interval
from procrastinate_tasks.schedule.policies import CatchUp

AnyTask = TypeVar("AnyTask", bound=Task[..., Any, ...])


@cache
def _build_times(expression: str, zone: str) -> Cron | Interval:
    return find_interval(expression) or Cron(expression, zone)


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
    def cron(self) -> Cron | Interval:
        """Its times: the cron expression in its zone, or an interval.

        Raises:
            InvalidCron, UnknownTimeZone: reported by the system checks too.
        """
        return _build_times(self.cron_expression, self.zone)

    @property
    def definition(self) -> str:
        """What decides the ticks: a change of it starts a new history."""
        return f"{self.cron_expression} {self.zone}"


class ScheduleOptions(TypedDict, total=False):
    """What ``@periodic(…)`` takes beside its times.

    Attributes:
        catch_up: what happens to ticks that passed while no worker ran, by default ``CatchUp.LAST``.
        schedule_id: tells several schedules of one task apart.
        args: the arguments of the jobs.
        queueing_lock: a tick is skipped while a job with it waits; by default the task's, or else the name of
            the schedule, so that ticks do not pile up behind a pause. With ``CatchUp.ALL``, which wants them
            all, there is none by default.
        priority: of the jobs, by default the task's.
    """

    catch_up: CatchUp
    schedule_id: str
    args: Mapping[str, object] | None
    queueing_lock: str | None
    priority: int | None


_schedules_by_name: dict[str, Schedule] = {}


@overload
def periodic(
    *, cron: str, timezone: str | None = ..., **options: Unpack[ScheduleOptions]
) -> Callable[[AnyTask], AnyTask]: ...


@overload
def periodic(
    *, every: float | timedelta, **options: Unpack[ScheduleOptions]
) -> Callable[[AnyTask], AnyTask]: ...


def periodic(
    *,
    cron: str | None = None,
    every: float | timedelta | None = None,
    timezone: str | None = None,
    **options: Unpack[ScheduleOptions],
) -> Callable[[AnyTask], AnyTask]:
    """Defer a task by itself, at the times of a cron expression or every so often.

    Where clocks change: a schedule at fixed times runs once for each of its times, a skipped one at the first
    moment after the gap, a repeated one at its first occurrence; a schedule whose minute or hour field starts
    with ``*`` follows real time. A schedule that is new, or whose times were changed, starts with its next
    tick.

    Args:
        cron: minute, hour, day of month, month, day of week, and seconds as an optional sixth field.
        every: seconds, or a timedelta, from one tick to the next; they are counted from 1970, so that a
            restart moves none.
        timezone: of the cron expression, by default the project's ``TIME_ZONE``.
        options: see ``ScheduleOptions``.

    Raises:
        ScheduleNameTaken: the task has a schedule with this ``schedule_id``.
        ValueError: there is neither ``cron`` nor ``every``, or both, or ``every`` is out of bounds.
    """
    if (cron is None) == (every is None):
        raise ValueError("A schedule has times: either cron or every.")
    require_options(options, known=ScheduleOptions.__annotations__, of="schedule")
    if every is not None:
        span = every if isinstance(every, timedelta) else timedelta(seconds=every)
        cron, timezone = Interval(span).expression, "UTC"

    def declare(task: AnyTask) -> AnyTask:
        _declare(task, cron or "", timezone, options)
        return task

    return declare


def _declare(
    task: Task[..., Any, ...], expression: str, zone_name: str | None, options: ScheduleOptions
) -> None:
    schedule_id, catch_up = options.get("schedule_id", ""), options.get("catch_up", CatchUp.LAST)
    name = f"{task.name}#{schedule_id}" if schedule_id else task.name
    if name in _schedules_by_name:
        raise ScheduleNameTaken(name)
    own_lock = options.get("queueing_lock") or task.queueing_lock
    _schedules_by_name[name] = Schedule(
        name=name,
        task_name=task.name,
        cron_expression=expression,
        catch_up=catch_up,
        zone_name=zone_name,
        args=options.get("args") or {},
        queueing_lock=own_lock or (None if catch_up is CatchUp.ALL else name),
        priority=options.get("priority"),
    )


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
        return schedule.adopted_from.defer(tick_at or database_now(), is_tick=tick_at is not None)
    return deferring.defer(
        schedule.task_name, schedule.args, queueing_lock=schedule.queueing_lock, priority=schedule.priority
    )
