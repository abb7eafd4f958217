"""What came of a bulk operation: how the jobs that it let run again ended, with the money of each end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from procrastinate_tasks.database import fetch_rows, statement
from procrastinate_tasks.formatting import MOST_COUNTED, Amount
from procrastinate_tasks.jobs.descriptions import sums_of
from procrastinate_tasks.queries.money import JobOfMoney, money_tasks, read_job_of_money


class Became(StrEnum):
    """What became of a job since somebody acted on it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


_BECAME: Mapping[str, Became] = {
    "succeeded": Became.SUCCEEDED,
    "failed": Became.FAILED,
    "superseded": Became.FAILED,
    "parked": Became.FAILED,
    "waiting": Became.WAITING,
    "running": Became.RUNNING,
    "cancelled": Became.STOPPED,
    "aborted": Became.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The jobs that came to one end, and the money of those that are kept."""

    became: Became
    job_ids: tuple[int, ...]
    amounts: tuple[Amount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The ends there were, in the order of ``Became``; ``is_cut`` if only the first jobs were seen."""

    ends: tuple[End, ...]
    is_cut: bool


def read_aftermath(operation_id: int) -> Aftermath:
    """Read what became of the first ``MOST_COUNTED`` jobs that an operation acted on, in one statement."""
    rows = fetch_rows(
        statement("queries/bulk_aftermath"),
        operation_id=operation_id,
        money=money_tasks(),
        at_most=MOST_COUNTED + 1,
    )
    ids: dict[Became, list[int]] = defaultdict(list)
    money: dict[Became, list[JobOfMoney]] = defaultdict(list)
    for row in rows[:MOST_COUNTED]:
        became = _BECAME.get(row.pop("became"), Became.UNKNOWN)
        ids[became].append(row["id"])
        if row["args"] is not None:
            money[became].append(read_job_of_money(row))
    ends = (
        End(became=became, job_ids=tuple(ids[became]), amounts=sums_of(money[became]))
        for became in Became
        if ids[became]
    )
    return Aftermath(ends=tuple(ends), is_cut=len(rows) > MOST_COUNTED)
