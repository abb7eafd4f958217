"""Sums up what ended, by five minutes and task, so that charts need not read a million jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import atomic, database_now, execute, fetch_row, fetch_rows, statement
from procrastinate_tasks.jobs.faults import note_faults
from procrastinate_tasks.models.monitoring import SLOT, TIME_BOUNDS
from procrastinate_tasks.monitoring.policies import decide_rollup_window

KEPT_FOR = timedelta(days=14)
# A task that has not run for so long starts at nothing when it does.
TOTALS_KEPT_FOR = timedelta(days=92)
MOST_TASKS = 100
# More than a run can take: an instant that no clock showed shall not be all of a sum.
_LONGEST = timedelta(days=30)


_LATENESS = timedelta(minutes=15)


_MOST_AT_ONCE = timedelta(hours=1)

_ADVANCE = """
-- Remember how far the roll-up has come.
UPDATE procrastinate_tasks_rollupprogress SET rolled_up_to = %(rolled_up_to)s
"""

_BEGIN = """
-- Make the one row that tells how far the roll-up has come, if there is none.
INSERT INTO procrastinate_tasks_rollupprogress (id) VALUES (1) ON CONFLICT DO NOTHING
"""

_FORGET_TASKS = """
-- Delete the totals of tasks that have not run for long.
DELETE FROM procrastinate_tasks_tasktotal
WHERE task_name IN (
    SELECT task_name FROM procrastinate_tasks_tasktotal GROUP BY task_name HAVING max(grown_at) < %(before)s
)
"""

_LOCK = """
-- Lock the roll-up for this transaction, unless another process has it, and tell how far it has come.
SELECT rolled_up_to FROM procrastinate_tasks_rollupprogress FOR UPDATE SKIP LOCKED
"""

_FIRST = """
-- Tell where the first roll-up begins: at the oldest attempt, or now; nothing ended in the hours before.
SELECT coalesce(min(greatest(finished_at, %(since)s)), %(now)s) AS at
FROM procrastinate_tasks_jobattempt
WHERE finished_at < %(now)s
"""

_NOTE_RELEASES = """
-- Remember when a worker of each release was first seen; later workers of it change nothing.
INSERT INTO procrastinate_tasks_release (name, first_seen_at)
SELECT release, min(started_at)
FROM procrastinate_tasks_liveworker
WHERE release <> ''
GROUP BY release
ON CONFLICT (name) DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupReport:
    """What one turn did.

    ``rolled_up_to`` is the end of the last slot summed up, None when another process was at it. ``has_more``
    when it stopped before the present, or a batch of old slots was full.
    """

    rolled_up_to: datetime | None
    pruned: int = 0
    has_more: bool = False


def run_once(now: datetime | None = None) -> RollupReport:
    """Sum up the slots that closed since the last turn, the last fifteen minutes once more, and prune.

    Any number of processes may call it at any time; one at a time does the work. What ended more than fifteen
    minutes before it was recorded is not counted, nor what was pruned before its slot was summed up.

    Args:
        now: by default the database's clock.
    """
    clock = now or database_now()
    execute(_BEGIN)
    with atomic():
        progress = fetch_rows(_LOCK)
        if not progress:
            return RollupReport(rolled_up_to=None)
        return _roll_up(rolled_up_to=progress[0]["rolled_up_to"] or _first_end(clock), now=clock)


def _first_end(now: datetime) -> datetime:
    since = now - queue_settings().keep_successes_for
    at: datetime = fetch_row(_FIRST, since=since, now=now)["at"]
    return at


def _roll_up(*, rolled_up_to: datetime, now: datetime) -> RollupReport:
    settings = queue_settings()
    window = decide_rollup_window(
        rolled_up_to=rolled_up_to,
        now=now,
        slot=SLOT,
        lateness=_LATENESS,
        kept_for=settings.keep_successes_for,
        at_most=_MOST_AT_ONCE,
    )
    execute(_NOTE_RELEASES)
    execute(
        statement("monitoring/roll_up_attempts"),
        slot=SLOT,
        from_at=window.from_at,
        until=window.until,
        bounds=list(TIME_BOUNDS),
        longest=_LONGEST,
        most_tasks=MOST_TASKS,
    )
    note_faults(from_at=window.from_at, until=window.until)
    execute(_ADVANCE, rolled_up_to=window.until)
    pruned = fetch_row(
        statement("monitoring/prune_rollups"), before=now - KEPT_FOR, batch=settings.retention_batch
    )["pruned"]
    execute(_FORGET_TASKS, before=now - TOTALS_KEPT_FOR)
    return RollupReport(
        rolled_up_to=window.until,
        pruned=pruned,
        has_more=window.has_more or pruned >= settings.retention_batch,
    )
