"""What the roll-up knows: the last 24 hours, each queue by hours, and how the last runs ended."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate_tasks.database import Question, ask, fetch_rows, statement
from procrastinate_tasks.models.monitoring import SLOT, TIME_BOUNDS
from procrastinate_tasks.queries.alerts import ToldAlert
from procrastinate_tasks.queries.failures import MOST_NEW, NEW_FAULTS, NewFault

DAY = timedelta(days=1)

_FACTS = statement("queries/dashboard_facts").replace("{new_faults}", NEW_FAULTS)


HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardFacts:
    """What the dashboard tells beside the snapshot.

    ``rolled_up_to`` is None before the first roll-up; ``alerts`` begin with the one told first,
    ``new_faults``, of the newest release, with the worst.
    """

    rolled_up_to: datetime | None
    release: str | None
    release_since: datetime | None
    releases_of_day: Mapping[str, datetime]
    alerts: tuple[ToldAlert, ...] = ()
    new_faults: tuple[NewFault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many attempts ended in a stretch of time."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0

    @property
    def runs(self) -> int:
        return self.succeeded + self.failed + self.retried


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskHour(Ended):
    """A task's hour: ``typical`` is the mean of five-minute medians, ``worst`` the highest percentile."""

    wait_typical: timedelta | None = None
    wait_worst: timedelta | None = None
    run_typical: timedelta | None = None
    run_worst: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfRuns:
    """The 24 hours from ``from_at`` to ``until``.

    ``slots`` are its 288 stretches of five minutes, ``tasks`` the 24 hours of each task that ran.
    """

    from_at: datetime
    until: datetime
    slots: tuple[Ended, ...]
    tasks: Mapping[str, tuple[TaskHour, ...]]


def read_facts() -> DashboardFacts:
    """Read the facts in one statement."""
    return ask(FACTS)


def _read_facts(rows: list[dict[str, Any]]) -> DashboardFacts:
    (row,) = rows
    new_faults = tuple(NewFault(**fault) for fault in json.loads(row.pop("new_faults")))
    releases, alerts = json.loads(row.pop("releases_of_day")), json.loads(row.pop("alerts"))
    return DashboardFacts(
        **row,
        releases_of_day={name: datetime.fromisoformat(at) for name, at in releases.items()},
        new_faults=new_faults,
        alerts=tuple(map(_told_alert, alerts)),
    )


FACTS = Question(sql=_FACTS, read=_read_facts, parameters={"at_most": MOST_NEW})

_MOMENTS = ("told_at", "seen_at", "silenced_until")


def _told_alert(facts: dict[str, Any]) -> ToldAlert:
    moments = {name: facts[name] and datetime.fromisoformat(facts[name]) for name in _MOMENTS}
    return ToldAlert(**{**facts, **moments})


def _read_day(rows: list[dict[str, Any]]) -> DayOfRuns | None:
    """Read the 24 hours up to the end of the slot that was summed up last; None before the first."""
    (until,) = {row.pop("until") for row in rows}
    if until is None:
        return None
    from_at = until - DAY
    slots = [Ended()] * (DAY // SLOT)
    hours: dict[str, list[TaskHour]] = {}
    for row in rows:
        task_name, slot_at, hour_at = (row.pop(name) for name in ("task_name", "slot_at", "hour_at"))
        if slot_at is None and task_name is None:
            continue  # nothing ended
        if task_name is None:
            slots[(slot_at - from_at) // SLOT] = Ended(**{name: row[name] for name in _COUNTS})
        else:
            day = hours.setdefault(task_name, [TaskHour()] * (DAY // HOUR))
            day[(hour_at - from_at) // HOUR] = TaskHour(**row)
    return DayOfRuns(
        from_at=from_at,
        until=until,
        slots=tuple(slots),
        tasks={name: tuple(day) for name, day in hours.items()},
    )


DAY_OF_RUNS = Question(sql=statement("queries/rollup_of_day"), read=_read_day)

_COUNTS = ("succeeded", "failed", "retried")

_TOTALS = """
-- What the roll-up has counted of each task since it first ran.
SELECT task_name, figure, total FROM procrastinate_tasks_tasktotal ORDER BY task_name, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesTaken:
    """How long things took: how many in each bucket of ``TIME_BOUNDS`` and above, and all together."""

    buckets: tuple[int, ...]
    together: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTotals(Ended):
    """How many attempts of a task have ended, how long those waited and ran of which it is known.

    They are counted once their five minutes are summed up. ``task_name`` is empty for all tasks together that
    came after the first hundred.
    """

    task_name: str
    waits: TimesTaken
    runs_took: TimesTaken


def read_task_totals() -> tuple[TaskTotals, ...]:
    """Return the totals of each task, by name."""
    figures: dict[str, dict[str, int]] = {}
    for row in fetch_rows(_TOTALS):
        figures.setdefault(row["task_name"], {})[row["figure"]] = row["total"]
    return tuple(_totals_of(name, counted) for name, counted in figures.items())


def _totals_of(task_name: str, counted: Mapping[str, int]) -> TaskTotals:
    return TaskTotals(
        task_name=task_name,
        waits=_times_taken("wait", counted),
        runs_took=_times_taken("run", counted),
        **{name: counted.get(name, 0) for name in _COUNTS},
    )


def _times_taken(name: str, counted: Mapping[str, int]) -> TimesTaken:
    return TimesTaken(
        buckets=tuple(counted.get(f"{name}:{bucket}", 0) for bucket in range(len(TIME_BOUNDS) + 1)),
        together=timedelta(microseconds=counted.get(name, 0)),
    )


_HOURS = DAY // HOUR


def _read_hours_of_queues(rows: list[dict[str, Any]]) -> Mapping[str, tuple[Ended, ...]]:
    hours: dict[str, list[Ended]] = {}
    for row in rows:
        day = hours.setdefault(row["queue_name"], [Ended()] * _HOURS)
        day[row["hour"]] = Ended(succeeded=row["succeeded"], failed=row["failed"], retried=row["retried"])
    return {name: tuple(day) for name, day in hours.items()}


HOURS_OF_QUEUES = Question(sql=statement("queries/rollup_of_queues"), read=_read_hours_of_queues)
"""The 24 hours that were summed up last, of each queue in which something ended."""

RUNS_SHOWN = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The job of a schedule's last tick; ``status`` and ``outcome`` are None once they were pruned."""

    id: int
    status: str | None
    outcome: str | None
    finished_at: datetime | None
    lasted: timedelta | None
    result: str | None
    exception_class: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSlot:
    """Five minutes in which a task ran, mostly once."""

    slot_at: datetime
    succeeded: int
    failed: int
    retried: int
    run_p50: timedelta | None


def read_last_runs(job_ids: Sequence[int]) -> Mapping[int, LastRun]:
    """Return the jobs by id, in one statement."""
    rows = fetch_rows(statement("queries/last_runs"), job_ids=list(job_ids))
    return {row["id"]: LastRun(**row) for row in rows}


def read_run_slots(task_names: Sequence[str]) -> Mapping[str, tuple[RunSlot, ...]]:
    """Return each task's latest ``RUNS_SHOWN`` stretches of five minutes with a run, the oldest first."""
    slots: dict[str, list[RunSlot]] = defaultdict(list)
    for row in fetch_rows(
        statement("queries/runs_of_tasks"), tasks=sorted(set(task_names)), at_most=RUNS_SHOWN
    ):
        slots[row.pop("task_name")].append(RunSlot(**row))
    return {name: tuple(found) for name, found in slots.items()}
