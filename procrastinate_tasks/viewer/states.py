"""The states that the viewer tells jobs by: finer than a job's status, and each with a word and an icon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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


class Tab(StrEnum):
    """A part of the job list. ``ATTENTION`` is what a person should look at: failed and orphaned jobs."""

    ALL = ""
    ATTENTION = "attention"
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


TAB_LABELS: dict[Tab, str | Promise] = {
    Tab.ALL: pgettext_lazy("tab", "All"),
    Tab.ATTENTION: pgettext_lazy("tab", "Needs attention"),
    Tab.READY: pgettext_lazy("tab", "Ready"),
    Tab.SCHEDULED: pgettext_lazy("tab", "Scheduled"),
    Tab.RETRYING: pgettext_lazy("tab", "To be retried"),
    Tab.BLOCKED: pgettext_lazy("tab", "Blocked"),
    Tab.PAUSED: pgettext_lazy("tab", "Paused"),
    Tab.RUNNING: pgettext_lazy("tab", "Running"),
    Tab.ORPHANED: pgettext_lazy("tab", "Orphaned"),
    Tab.FAILED: pgettext_lazy("tab", "Failed"),
    Tab.SUCCEEDED: pgettext_lazy("tab", "Succeeded"),
    Tab.CANCELLED: pgettext_lazy("tab", "Cancelled or aborted"),
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
