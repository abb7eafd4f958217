"""The log line of a finished run, written once the database has confirmed what became of the job."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from procrastinate_tasks import job_log
from procrastinate_tasks.exchange.endings import job_of
from procrastinate_tasks.exchange.frames import Assignment, RunEnd
from procrastinate_tasks.middleware.log_context import log_fields
from procrastinate_tasks.results import AttemptRecord, Outcome
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
        result = None if end.result is None else json.loads(end.result)
        job_log.log_settled(_record_of(end), settled, result=result, retry_at=end.retry_at)


def _is_unheard(settled: Settled | None) -> bool:
    """Whether nobody would read the line: at thousands of successes a second that is worth asking."""
    is_success = settled is not None and settled.outcome is Outcome.SUCCEEDED
    return is_success and not job_log.logger.isEnabledFor(logging.INFO)


def _record_of(end: RunEnd) -> AttemptRecord:
    return AttemptRecord(
        task_name=end.task_name,
        queue_name=end.queue_name,
        started_at=datetime.fromtimestamp(end.started_at, UTC),
        finished_at=datetime.fromtimestamp(end.finished_at, UTC),
        result=end.result,
        exception_class=end.exception_class,
        message=end.message,
        traceback=end.traceback,
        fingerprint=end.fingerprint,
    )
