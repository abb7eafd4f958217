"""What the primary has written so far: two readings tell what one charge costs it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.drill.desk import Desk
from benchmarks.due_stays import CHARGE_TASK

_READING = """
SELECT
    (SELECT count(*) FROM procrastinate_tasks_jobattempt
        WHERE task_name = %(task)s AND outcome = 'succeeded')::int,
    (pg_current_wal_lsn() - '0/0')::bigint,
    tup_inserted::bigint, tup_updated::bigint, xact_commit::bigint, pg_database_size(datname)::bigint
FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """Totals since the database was made; ``updated`` counts row versions, sizes are bytes."""

    charges: int
    wal_bytes: int
    inserted: int
    updated: int
    commits: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostOfACharge:
    """What the primary did for each charge: stay, job, the charge itself, e-mail, and all upkeep."""

    wal_kilobytes: float
    inserted: float
    updated: float
    commits: float
    size_kilobytes: float


def read_meter(desk: Desk) -> Reading:
    return Reading(*desk.rows(_READING, {"task": CHARGE_TASK})[0])


def cost_of_a_charge(first: Reading, last: Reading) -> CostOfACharge:
    """Return the difference of two readings for each charge between them. Pure."""
    charges = max(1, last.charges - first.charges)
    return CostOfACharge(
        wal_kilobytes=(last.wal_bytes - first.wal_bytes) / charges / 1024,
        inserted=(last.inserted - first.inserted) / charges,
        updated=(last.updated - first.updated) / charges,
        commits=(last.commits - first.commits) / charges,
        size_kilobytes=(last.size_bytes - first.size_bytes) / charges / 1024,
    )
