"""The last log lines of runs, as they travel from a child to the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from procrastinate_tasks.database import execute, statement

# Of a job that runs again and again the lines of so many runs are kept.
MOST_RUNS = 5


class LogLine(NamedTuple):
    """One line; ``at`` is seconds since 1970, by the clock of its host."""

    at: float
    level: str
    logger: str
    text: str


class RunLog(NamedTuple):
    """The last lines of a run, before which so many were left out."""

    job_id: int
    run: int
    attempt: int
    lines: tuple[LogLine, ...]
    left_out: int


def store(logs: Sequence[RunLog]) -> None:
    """Store what runs logged last; of a job that is gone nothing."""
    execute(
        statement("jobs/store_log_lines"),
        job_ids=[log.job_id for log in logs],
        runs=[log.run for log in logs],
        attempts=[log.attempt for log in logs],
        lines=[json.dumps([line._asdict() for line in log.lines]) for log in logs],
        left_out=[log.left_out for log in logs],
        most_runs=MOST_RUNS,
    )
