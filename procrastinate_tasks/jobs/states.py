"""The states that people tell jobs by: finer than a job's status, and each with a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ShownState(StrEnum):
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


STATE_LABELS: dict[ShownState, str | Promise] = {
    ShownState.READY: _("Ready"),
    ShownState.SCHEDULED: _("Scheduled"),
    ShownState.RETRYING: _("To be retried"),
    ShownState.BLOCKED: _("Blocked by a lock"),
    ShownState.PAUSED: _("Queue paused"),
    ShownState.RUNNING: _("Running"),
    ShownState.ORPHANED: _("Orphaned"),
    ShownState.FAILED: _("Failed"),
    ShownState.SUCCEEDED: _("Succeeded"),
    ShownState.CANCELLED: _("Cancelled"),
    ShownState.ABORTED: _("Aborted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What tells a job's state, as the database sees it at one moment."""

    status: str
    attempts: int
    is_due: bool
    is_blocked: bool
    is_paused: bool
    worker_is_alive: bool


def shown_state(signs: Signs) -> ShownState:
    """Tell a job's state: its own time comes before its queue's pause, that before its lock."""
    if signs.status == "doing":
        return ShownState.RUNNING if signs.worker_is_alive else ShownState.ORPHANED
    if signs.status != "todo":
        return ShownState.ABORTED if signs.status == "aborting" else ShownState(signs.status)
    if not signs.is_due:
        return ShownState.RETRYING if signs.attempts else ShownState.SCHEDULED
    if signs.is_paused:
        return ShownState.PAUSED
    return ShownState.BLOCKED if signs.is_blocked else ShownState.READY


# --- What a job is doing ----------------------------------------------------------------------------------


class JobState(StrEnum):
    """What a job is doing, told more finely than its status."""

    READY = "ready"
    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    RUNNING = "running"
    ORPHANED = "orphaned"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


def job_state(
    *, status: str, scheduled_at: datetime | None, attempts: int, worker_is_alive: bool, now: datetime
) -> JobState:
    """Tell a job's state from its row and its worker's heartbeat."""
    if status == "doing":
        return JobState.RUNNING if worker_is_alive else JobState.ORPHANED
    if status != "todo":
        return JobState.ABORTED if status == "aborting" else JobState(status)
    if scheduled_at is None or scheduled_at <= now:
        return JobState.READY
    return JobState.RETRYING if attempts else JobState.SCHEDULED
