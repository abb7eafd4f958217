"""Where running jobs stand: asked through a row, which the job's worker reads with its next heartbeat."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from procrastinate_tasks.database import execute, fetch_rows

_SHORTEST_PAUSE = 0.1

_ASK = """
-- Ask for the stack of a job that runs; who asks while another waits for the answer waits for the same.
INSERT INTO procrastinate_tasks_jobstack AS known (job_id, asked_at, stack)
SELECT id, clock_timestamp(), '' FROM procrastinate_jobs WHERE id = %(job_id)s AND status = 'doing'
ON CONFLICT (job_id) DO UPDATE
    SET asked_at = excluded.asked_at, answered_at = NULL
    WHERE known.answered_at IS NOT NULL OR known.asked_at < excluded.asked_at - interval '10 seconds'
"""

_READ = """
-- What is known of the stack of a job, and whether it runs.
SELECT
    job.status = 'doing' AS runs, stack.asked_at, stack.answered_at, coalesce(stack.stack, '') AS stack,
    stack.answered_at IS NULL
        AND coalesce(stack.asked_at < clock_timestamp() - interval '5 seconds', false) AS is_silent
FROM procrastinate_jobs AS job
LEFT JOIN procrastinate_tasks_jobstack AS stack ON stack.job_id = job.id
WHERE job.id = %(job_id)s
"""

_ANSWER = """
-- Answer those who asked where jobs stand.
UPDATE procrastinate_tasks_jobstack AS stack
SET answered_at = clock_timestamp(), stack = said.stack
FROM unnest(%(job_ids)s::bigint[], %(stacks)s::text[]) AS said (job_id, stack)
WHERE stack.job_id = said.job_id AND stack.answered_at IS NULL
"""


class StackOfJob(NamedTuple):
    """What is known: the last answer, and whether another was asked for. A job may have ended meanwhile.

    It ``is_silent`` where it has not answered for five seconds: a process that can had several turns.
    """

    runs: bool
    asked_at: datetime | None
    answered_at: datetime | None
    stack: str
    is_silent: bool = False

    @property
    def is_awaited(self) -> bool:
        return self.asked_at is not None and self.answered_at is None


def find_stack(job_id: int) -> StackOfJob | None:
    """Return what is known of a job's stack; None if there is no such job."""
    rows = fetch_rows(_READ, job_id=job_id)
    return StackOfJob(**rows[0]) if rows else None


def ask(job_id: int, *, within: timedelta) -> StackOfJob | None:
    """Ask where a running job stands and wait for the answer, so long at most; None if there is no such job.

    Its worker reads the question with its next heartbeat. Outside of a transaction only: it could not see it.
    """
    execute(_ASK, job_id=job_id)
    deadline = time.monotonic() + within.total_seconds()
    found = find_stack(job_id)
    while found is not None and found.runs and found.is_awaited and time.monotonic() < deadline:
        time.sleep(_SHORTEST_PAUSE)
        found = find_stack(job_id)
    return found


def answer(stacks: Mapping[int, str]) -> None:
    """Store where jobs stand, for those who asked."""
    execute(_ANSWER, job_ids=list(stacks), stacks=list(stacks.values()))
