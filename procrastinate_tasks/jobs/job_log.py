"""The log lines of a job's life, without the arguments its task does not show."""

from __future__ import annotations

import json
import logging
from datetime import datetime

from procrastinate.jobs import Job

from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.models import Outcome

logger = logging.getLogger(__name__)


def log_start(job: Job) -> None:
    logger.info("Job started", extra={"event": "job_started"})


def log_settled(end: Completion, settled: Recorded) -> None:
    """Write the one line that tells how a run ended."""
    extra: dict[str, object] = {
        "event": f"job_{settled.outcome.value}",
        "duration_seconds": round(end.finished_at - end.started_at, 3),
    }
    if settled.outcome is Outcome.SUCCEEDED:
        logger.info("Job succeeded", extra={**extra, "result": _shown_result(end)})
        return
    extra |= {"error": f"{end.exception_class}: {end.message}", "fingerprint": end.fingerprint}
    if settled.outcome is Outcome.RETRYING:
        logger.warning("Job failed, will be retried", extra={**extra, "retry_at": _iso(end.retry_at)})
    elif settled.outcome is Outcome.SUPERSEDED:
        extra["sibling_job_id"] = settled.sibling_id
        logger.warning("Job failed, left to the waiting job with its queueing lock", extra=extra)
    elif settled.outcome is Outcome.INTERRUPTED:
        logger.info("Job interrupted, runs again", extra=extra)
    elif settled.outcome is Outcome.ABORTED:
        logger.info("Job aborted", extra=extra)
    else:
        logger.error("Job failed", extra=extra)


def log_lost(job: Job) -> None:
    """Say that a job was rescued from this worker, which then finished it: the other run counts."""
    logger.warning("Job was lost to another worker; this run is not recorded", extra={"event": "job_lost"})


def _shown_result(end: Completion) -> str | None:
    """Return what a task returned if that is a sentence of its own: other values may hold anything."""
    return json.loads(end.result) if end.result is not None and end.result.startswith('"') else None


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
