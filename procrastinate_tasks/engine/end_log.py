"""The log line of a finished run, written once the database has confirmed what became of the job."""

from __future__ import annotations

import logging

from procrastinate_tasks import job_log
from procrastinate_tasks.exchange.endings import job_of
from procrastinate_tasks.exchange.frames import Assignment, RunEnd
from procrastinate_tasks.middleware.log_context import log_fields
from procrastinate_tasks.results import Outcome
from procrastinate_tasks.settling import Settled


def log_end(assignment: Assignment | None, end: RunEnd, settled: Settled | None) -> None:
    """Writes the line, with the job's fields on it. ``settled`` is None for a run the database refused."""
    if assignment is None or _is_unheard(settled):
        return
    job = job_of(assignment)
    with log_fields(job):
        if settled is None:
            job_log.log_lost(job)
            return
        job_log.log_settled(end, settled)


def _is_unheard(settled: Settled | None) -> bool:
    """Whether nobody would read the line: at thousands of successes a second that is worth asking."""
    is_success = settled is not None and settled.outcome is Outcome.SUCCEEDED
    return is_success and not job_log.logger.isEnabledFor(logging.INFO)
