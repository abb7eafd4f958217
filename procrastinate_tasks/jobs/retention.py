"""Prunes old attempts and finished jobs, a bounded batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from procrastinate_tasks.conf import QueueSettings, queue_settings
from procrastinate_tasks.database import atomic, execute, fetch_row, statement
from procrastinate_tasks.models import Outcome

_FINISHED = ("succeeded", "failed", "cancelled", "aborted")

_TRY_LOCK = """
-- Let one process prune at a time, for this transaction.
SELECT pg_try_advisory_xact_lock(hashtextextended('procrastinate_tasks.retention', 0)) AS taken
"""


_FORGET_UNIQUE = """
-- Delete what no job is held back by any more; who just takes such a key up again has its row.
DELETE FROM procrastinate_tasks_uniquejob
WHERE key IN (
    SELECT key FROM procrastinate_tasks_uniquejob
    WHERE until <= coalesce(%(now)s::timestamptz, now())
    LIMIT 10000
    FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionReport:
    """How many rows one batch pruned; ``has_more`` when a batch was full."""

    attempts: int
    jobs: int
    has_more: bool


def run_once(now: datetime | None = None) -> RetentionReport:
    """Prune one batch of each kind: successes older than a day, the rest older than two weeks, by setting.

    The cost depends on the size of the batch, not on that of the tables. One process prunes at a time;
    another that tries meanwhile prunes nothing.

    Args:
        now: by default the database's clock.
    """
    settings = queue_settings()
    with atomic():
        if not fetch_row(_TRY_LOCK)["taken"]:
            return RetentionReport(attempts=0, jobs=0, has_more=False)
        jobs = [
            _prune(
                statement("jobs/prune_jobs"),
                status,
                kept=_kept(settings, succeeded=status == "succeeded"),
                now=now,
            )
            for status in _FINISHED
        ]
        attempts = [
            _prune(
                statement("jobs/prune_attempts"),
                outcome,
                kept=_kept(settings, succeeded=outcome is Outcome.SUCCEEDED),
                now=now,
            )
            for outcome in Outcome
        ]
        execute(_FORGET_UNIQUE, now=now)
    return RetentionReport(
        attempts=sum(attempts), jobs=sum(jobs), has_more=max(*attempts, *jobs) >= settings.retention_batch
    )


def _kept(settings: QueueSettings, *, succeeded: bool) -> timedelta:
    return settings.keep_successes_for if succeeded else settings.keep_failures_for


def _prune(sql: LiteralString, kind: str, *, kept: timedelta, now: datetime | None) -> int:
    row = fetch_row(sql, kind=str(kind), kept=kept, now=now, batch=queue_settings().retention_batch)
    return int(row["pruned"])
