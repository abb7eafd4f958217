"""The ``periodic`` decorator, and the schedules that it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from django.conf import settings as django_settings
from procrastinate.contrib.django import app
from procrastinate.tasks import Task

from procrastinate_tasks.database import database_now
from procrastinate_tasks.exceptions import ScheduleNameTaken, UnknownSchedule
from procrastinate_tasks.jobs import deferring
from procrastinate_tasks.schedule.adopted_tasks import AdoptedTask, adopted_tasks
from procrastinate_tasks.schedule.cron import Cron
from procrastinate_tasks.schedule.policies import CatchUp

AnyTask = TypeVar("AnyTask", bound=Task[..., Any, ...])


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
        return schedule.adopted_from.defer(tick_at or database_now(), is_tick=tick_at is not None)
    return deferring.defer(
        schedule.task_name, schedule.args, queueing_lock=schedule.queueing_lock, priority=schedule.priority
    )
