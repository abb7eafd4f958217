"""The money that hangs on jobs, as the project tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procrastinate_tasks.database import fetch_rows
from procrastinate_tasks.formatting import Amount
from procrastinate_tasks.jobs.arguments import arguments_to_show
from procrastinate_tasks.jobs.descriptions import Kind, described_tasks, moves_money, sums_of

_JOBS = """
-- Of some jobs those that are about money, with their arguments.
SELECT job.id, job.task_name, job.args::text AS args
FROM procrastinate_jobs AS job
WHERE job.id = ANY(%(job_ids)s::bigint[])
  AND job.task_name = ANY(%(money)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOfMoney:
    """A job as far as its amount needs it."""

    id: int
    task_name: str
    args: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What some jobs move, a sum for each currency; what several of them are about counts once."""

    moves_money: bool
    amounts: tuple[Amount, ...]


def money_tasks() -> list[str]:
    """Return the tasks that are about money."""
    return [name for name, task in described_tasks().items() if task.kind is Kind.MONEY]


def read_job_of_money(row: Mapping[str, object]) -> JobOfMoney:
    """Read a row with ``id``, ``task_name`` and ``args`` as text."""
    facts = {**row, "args": arguments_to_show(str(row["args"]))}
    return JobOfMoney(**facts)  # type: ignore[arg-type]


def find_stake(job_ids: Sequence[int]) -> Stake:
    """Return what money hangs on jobs, in one statement and what the project's hooks take."""
    rows = fetch_rows(_JOBS, job_ids=list(job_ids), money=money_tasks())
    jobs = [read_job_of_money(row) for row in rows]
    return Stake(moves_money=any(moves_money(job.task_name) for job in jobs), amounts=sums_of(jobs))
