"""What becomes of the jobs that ran in a child which is gone."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

from procrastinate.app import App

from procrastinate_tasks.engine.children import Child, Running
from procrastinate_tasks.engine.frames import Assignment, RunEnd
from procrastinate_tasks.engine.settlements import Finished
from procrastinate_tasks.exceptions import TimeLimitExceeded
from procrastinate_tasks.execution.endings import end_of_error, job_of
from procrastinate_tasks.results import Outcome

logger = logging.getLogger(__name__)


def ends_of_lost_child(app: App, child: Child) -> list[Finished]:
    """One end for each job that ran in the child: over its hard limit, or given back at no cost."""
    now = time.monotonic()
    return [
        Finished(_end_of_lost(app, running, now), running.assignment) for running in child.running.values()
    ]


def _end_of_lost(app: App, running: Running, now: float) -> RunEnd:
    if running.hard_seconds is not None and running.started + running.hard_seconds <= now:
        return end_of_overdue(app, running, TimeLimitExceeded(seconds=running.hard_seconds), now)
    return end_of_return(running.assignment, started_at=_started_at(running, now))


def end_of_overdue(app: App, running: Running, error: TimeLimitExceeded, now: float) -> RunEnd:
    """The end of a job that was ended at its hard limit; its task may ask for a retry."""
    return end_of_error(
        running.assignment,
        job=job_of(running.assignment),
        task=app.tasks.get(running.assignment.task_name),
        started=_started_at(running, now).timestamp(),
        error=error,
        abort_reason=None,
    )


def end_of_return(assignment: Assignment, *, started_at: datetime) -> RunEnd:
    """The end of a run that was cut short through no fault of its job: it waits again, at no cost."""
    now = datetime.now(UTC)
    return RunEnd(
        job_id=assignment.job_id,
        worker_id=assignment.worker_id,
        attempts=assignment.attempts,
        status="todo",
        outcome=Outcome.INTERRUPTED.value,
        task_name=assignment.task_name,
        queue_name=assignment.queue_name,
        started_at=started_at,
        finished_at=now,
        counts_attempt=False,
        retry_at=now,
    )


def _started_at(running: Running, now: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=now - running.started)
