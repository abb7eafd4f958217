"""The log lines of a job's life, without the arguments its task does not show."""

from __future__ import annotations

import logging
from datetime import datetime

from procrastinate.jobs import Job

from procrastinate_tasks import registry
from procrastinate_tasks.results import AttemptRecord, Outcome
from procrastinate_tasks.settling import Settled

logger = logging.getLogger(__name__)


def visible_arguments(job: Job) -> dict[str, object]:
    """Return the arguments of a job that its task allows in log lines."""
    options = registry.find_options(job.task_name)
    names = options.log_fields if options else ()
    return {name: job.task_kwargs[name] for name in names if name in job.task_kwargs}


def describe_call(job: Job) -> str:
    """Return the call a job stands for, hidden arguments shown as an ellipsis."""
    shown = [f"{name}={value!r}" for name, value in visible_arguments(job).items()]
    hidden = ["…"] if len(shown) < len(job.task_kwargs) else []
    return f"{job.task_name}[{job.id}]({', '.join([*shown, *hidden])})"


def log_start(job: Job) -> None:
    logger.info("Job started", extra={"event": "job_started"})


def log_settled(
    record: AttemptRecord, settled: Settled, *, result: object = None, retry_at: datetime | None = None
) -> None:
    """Write the one line that tells how an attempt ended."""
    seconds = (record.finished_at - record.started_at).total_seconds()
    extra: dict[str, object] = {
        "event": f"job_{settled.outcome.value}",
        "duration_seconds": round(seconds, 3),
    }
    if settled.outcome is Outcome.SUCCEEDED:
        logger.info("Job succeeded", extra={**extra, "result": result if isinstance(result, str) else None})
        return
    extra |= {"error": f"{record.exception_class}: {record.message}", "fingerprint": record.fingerprint}
    if settled.outcome is Outcome.RETRYING:
        logger.warning("Job failed, will be retried", extra={**extra, "retry_at": _iso(retry_at)})
    elif settled.outcome is Outcome.SUPERSEDED:
        extra["sibling_job_id"] = settled.sibling_id
        logger.warning("Job failed, left to the waiting job with its queueing lock", extra=extra)
    elif settled.outcome is Outcome.INTERRUPTED:
        logger.info("Job interrupted by the shutdown, runs again", extra=extra)
    elif settled.outcome is Outcome.ABORTED:
        logger.info("Job aborted", extra=extra)
    else:
        logger.error("Job failed", extra=extra)


def log_lost(job: Job) -> None:
    """Say that a job was rescued from this worker, which then finished it: the other run counts."""
    logger.warning("Job was lost to another worker; this run is not recorded", extra={"event": "job_lost"})


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
