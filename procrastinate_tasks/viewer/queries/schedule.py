"""The schedule page's questions: how the last runs ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.statements import statement

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
    rows = _rows("last_runs", job_ids=list(job_ids))
    return {row["id"]: LastRun(**row) for row in rows}


def read_run_slots(task_names: Sequence[str]) -> Mapping[str, tuple[RunSlot, ...]]:
    """Return each task's latest ``RUNS_SHOWN`` stretches of five minutes with a run, the oldest first."""
    slots: dict[str, list[RunSlot]] = defaultdict(list)
    for row in _rows("runs_of_tasks", tasks=sorted(set(task_names)), at_most=RUNS_SHOWN):
        slots[row.pop("task_name")].append(RunSlot(**row))
    return {name: tuple(found) for name, found in slots.items()}


def _rows(name: str, **parameters: object) -> list[dict[str, Any]]:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    return connector.execute_query_all(statement(name), **parameters)
