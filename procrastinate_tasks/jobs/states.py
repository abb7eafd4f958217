"""The states that people tell jobs by: finer than a job's status, and each with a word."""

from __future__ import annotations

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class JobState(StrEnum):
    """What a job is doing: ``todo`` in five parts, ``doing`` in two.

    A third part of ``doing``, waiting for a thread, is empty by construction: our workers claim no more jobs
    than they have free slots.
    """

    READY = "ready"
    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    BLOCKED = "blocked"
    PAUSED = "paused"
    RUNNING = "running"
    ORPHANED = "orphaned"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


STATE_LABELS: dict[JobState, str | Promise] = {
    JobState.READY: _("Ready"),
    JobState.SCHEDULED: _("Scheduled"),
    JobState.RETRYING: _("To be retried"),
    JobState.BLOCKED: _("Blocked by a lock"),
    JobState.PAUSED: _("Queue paused"),
    JobState.RUNNING: _("Running"),
    JobState.ORPHANED: _("Orphaned"),
    JobState.FAILED: _("Failed"),
    JobState.SUCCEEDED: _("Succeeded"),
    JobState.CANCELLED: _("Cancelled"),
    JobState.ABORTED: _("Aborted"),
}


def job_state(
    *,
    status: str,
    attempts: int,
    is_due: bool,
    worker_is_alive: bool,
    is_blocked: bool = False,
    is_paused: bool = False,
) -> JobState:
    """Tell a job's state: its own time comes before its queue's pause, that before its lock.

    Whoever does not look at locks and pauses is told ``READY`` of every job that is due.
    """
    if status == "doing":
        return JobState.RUNNING if worker_is_alive else JobState.ORPHANED
    if status != "todo":
        return JobState.ABORTED if status == "aborting" else JobState(status)
    if not is_due:
        return JobState.RETRYING if attempts else JobState.SCHEDULED
    if is_paused:
        return JobState.PAUSED
    return JobState.BLOCKED if is_blocked else JobState.READY
