"""The log lines of a job's life, without the arguments its task does not show."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from procrastinate.jobs import Job

from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.models import Outcome

logger = logging.getLogger(__name__)

_LONGEST_ERROR = 200


def log_start(job: Job) -> None:
    logger.info("Job started", extra={"event": "job_started"})


def log_settled(end: Completion, settled: Recorded) -> None:
    """Write the one line that tells how a run ended; of a failure the message itself tells job and error."""
    extra: dict[str, object] = {
        "event": f"job_{settled.outcome.value}",
        "duration_seconds": round(end.finished_at - end.started_at, 3),
    }
    if settled.outcome is Outcome.SUCCEEDED:
        logger.info("Job succeeded", extra={**extra, "result": _shown_result(end)})
        return
    extra |= {"error": f"{end.exception_class}: {end.message}", "fingerprint": end.fingerprint}
    if end.retry_at is not None:
        extra["retry_at"] = end.retry_at.isoformat()
    if settled.sibling_id is not None:
        extra["sibling_job_id"] = settled.sibling_id
    level, message = _WORDS.get(settled.outcome, (logging.ERROR, "Job failed"))
    logger.log(
        level, "%s: %s[%d]: %s", message, end.task_name, end.job_id, _error_in_a_line(end), extra=extra
    )


_WORDS: Mapping[Outcome, tuple[int, str]] = {
    Outcome.RETRYING: (logging.WARNING, "Job failed, will be retried"),
    Outcome.SUPERSEDED: (logging.WARNING, "Job failed, left to the waiting job with its queueing lock"),
    Outcome.SNOOZED: (logging.INFO, "Job put itself off"),
    Outcome.INTERRUPTED: (logging.INFO, "Job interrupted, runs again"),
    Outcome.ABORTED: (logging.INFO, "Job aborted"),
}


def _error_in_a_line(end: Completion) -> str:
    first = next(iter(end.message.splitlines()), "")[:_LONGEST_ERROR]
    return ": ".join(filter(None, [end.exception_class.rpartition(".")[2], first]))


def log_lost(job: Job) -> None:
    """Say that a job was rescued from this worker, which then finished it: the other run counts."""
    logger.warning("Job was lost to another worker; this run is not recorded", extra={"event": "job_lost"})


def _shown_result(end: Completion) -> str | None:
    """Return what a task returned if that is a sentence of its own: other values may hold anything."""
    return json.loads(end.result) if end.result is not None and end.result.startswith('"') else None
