"""The schedules as rows: past, next, disabled, enabled, run now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Func
from django.db.models.functions import Greatest

from procrastinate_tasks.database import Question, ask, database_alias, database_now, fetch_row, statement
from procrastinate_tasks.exceptions import InvalidCron, UnknownTimeZone
from procrastinate_tasks.models import ScheduleState
from procrastinate_tasks.schedule import periodic
from procrastinate_tasks.schedule.periodic import Schedule, all_schedules
from procrastinate_tasks.schedule.policies import CatchUp

_LONGEST_PERSON = 150


def disable(*, name: str, by: str, reason: str = "") -> bool:
    """Let a schedule defer nothing until it is enabled; False when it was disabled already.

    Args:
        by: who disables it, as colleagues know them.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
        ValueError: nobody is named.
    """
    if not by.strip():
        raise ValueError("Disabling a schedule needs a name: by whom?")
    periodic.find_schedule(name)
    row = fetch_row(
        statement("schedule/disable_schedule"),
        schedule_name=name,
        by=by.strip()[:_LONGEST_PERSON],
        reason=reason,
    )
    was_enabled: bool = row["changed"]
    return was_enabled


def enable(*, name: str) -> bool:
    """Let a schedule go on with its next tick; those that passed are lost. False if it was enabled.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
    """
    periodic.find_schedule(name)
    disabled = ScheduleState.objects.using(database_alias()).filter(name=name, disabled_at__isnull=False)
    enabled = disabled.update(
        disabled_at=None,
        disabled_by="",
        disable_reason="",
        last_tick_at=Greatest("last_tick_at", Func(function="clock_timestamp")),
    )
    return enabled == 1


def run_now(*, name: str) -> int | None:
    """Defer a schedule's job at once; its next tick comes when it would have come.

    Returns:
        The job's id; None when a job with its queueing lock already waits.

    Raises:
        UnknownSchedule: no schedule of this process's code has this name.
        InvalidTaskArguments, UnknownTask: its arguments or its task's name are wrong.
    """
    return periodic.defer_job(periodic.find_schedule(name))


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleInfo:
    """A schedule with its past and its future.

    ``last_tick_at`` is the tick that was last deferred, ``last_deferred_at`` when that happened, ``lateness``
    how long after the tick. ``overdue_since`` is the first tick that no worker has dealt with although its
    time has come, ``problem`` why the schedule cannot run. One that is disabled is never overdue and has no
    next run.
    """

    name: str
    task_name: str
    cron: str
    zone: str
    catch_up: CatchUp
    next_at: datetime | None
    overdue_since: datetime | None
    last_tick_at: datetime | None
    last_deferred_at: datetime | None
    lateness: timedelta | None
    last_job_id: int | None
    missed_count: int
    problem: str = ""
    disabled_at: datetime | None = None
    disabled_by: str = ""
    disable_reason: str = ""


def list_schedule(now: datetime | None = None) -> tuple[ScheduleInfo, ...]:
    """Return the schedules of this process's code, the next to run first.

    Args:
        now: by default the database's clock.
    """
    return schedule_of(ask(STATES), now=now or database_now())


def schedule_of(states: Mapping[str, dict[str, Any]], *, now: datetime) -> tuple[ScheduleInfo, ...]:
    """Put the schedules of this process's code and what is kept of them together, the next to run first."""
    infos = [_schedule_info(item, states.get(item.name, {}), now=now) for item in all_schedules()]
    return tuple(sorted(infos, key=lambda info: (info.next_at is None, info.next_at or now, info.name)))


_STATES = """
-- What is kept of each schedule.
SELECT
    name, known_since::text AS known_since, last_tick_at, last_deferred_tick_at, last_deferred_at,
    last_job_id, missed_count, disabled_at, disabled_by, disable_reason
FROM procrastinate_tasks_schedulestate
"""


def _read_states(rows: list[dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    return {row["name"]: {**row, "known_since": json.loads(row["known_since"])} for row in rows}


STATES = Question(sql=_STATES, read=_read_states)


def _schedule_info(schedule: Schedule, row: dict[str, Any], *, now: datetime) -> ScheduleInfo:
    next_at, overdue_since, problem = None, None, ""
    try:
        next_at = schedule.cron.next_after(now)
        overdue_since = _overdue_since(schedule, row, now=now)
    except (InvalidCron, UnknownTimeZone) as error:
        problem = str(error)
    tick_at, deferred_at = row.get("last_deferred_tick_at"), row.get("last_deferred_at")
    return ScheduleInfo(
        name=schedule.name,
        task_name=schedule.task_name,
        cron=schedule.cron_expression,
        zone=schedule.zone,
        catch_up=schedule.catch_up,
        next_at=None if row.get("disabled_at") else next_at,
        overdue_since=overdue_since,
        last_tick_at=tick_at,
        last_deferred_at=deferred_at,
        lateness=deferred_at - tick_at if tick_at and deferred_at else None,
        last_job_id=row.get("last_job_id"),
        missed_count=row.get("missed_count", 0),
        problem=problem,
        disabled_at=row.get("disabled_at"),
        disabled_by=row.get("disabled_by", ""),
        disable_reason=row.get("disable_reason", ""),
    )


def _overdue_since(schedule: Schedule, row: dict[str, Any], *, now: datetime) -> datetime | None:
    """Return the first tick that is due; None also for a schedule that no worker has seen yet."""
    since = row.get("known_since", {}).get(schedule.definition)
    if since is None or row["disabled_at"] is not None:
        return None
    floor = max(datetime.fromisoformat(since), row["last_tick_at"] or _LONG_AGO)
    due_at = schedule.cron.next_after(floor)
    return due_at if due_at is not None and due_at <= now else None
