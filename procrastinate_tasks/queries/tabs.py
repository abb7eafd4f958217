"""The tabs of the job list: which jobs are in each, and the group that one index finds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from procrastinate_tasks.database import with_shared_rules

ANY: LiteralString = "true"


_DUE: LiteralString = "(job.scheduled_at IS NULL OR job.scheduled_at <= now())"


_ALIVE = with_shared_rules("{{is_alive}}")

_PAUSED = with_shared_rules("{{is_paused}}")

BLOCKED = with_shared_rules("""
(job.lock IS NOT NULL AND EXISTS (SELECT FROM procrastinate_jobs AS other WHERE {{is_blocked}}))
""")


_RULE: LiteralString = "LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = job.queue_name"


_WORKER: LiteralString = (
    "LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id"
    " LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs that one index finds, newest first, the tabs they are split into, and what that takes.

    ``ends`` are the events that their last end may be.
    """

    condition: LiteralString
    parts: Mapping[Tab, LiteralString]
    joined: LiteralString = ""
    ends: LiteralString = "'succeeded', 'failed', 'cancelled', 'aborted'"


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


GROUPS: Mapping[LiteralString, Group] = {
    "due": Group(
        condition=f"job.status = 'todo' AND {_DUE}",
        parts={
            Tab.READY: f"NOT {_PAUSED} AND NOT {{blocked}}",
            Tab.BLOCKED: f"NOT {_PAUSED} AND {{blocked}}",
            Tab.PAUSED: _PAUSED,
        },
        joined=_RULE,
    ),
    "later": Group(
        condition="job.status = 'todo' AND job.scheduled_at > now()",
        parts={Tab.SCHEDULED: "job.attempts = 0", Tab.RETRYING: "job.attempts > 0"},
    ),
    "doing": Group(
        condition="job.status = 'doing'",
        parts={Tab.RUNNING: _ALIVE, Tab.ORPHANED: f"NOT {_ALIVE}"},
        joined=_WORKER,
    ),
    "failed": Group(condition="job.status = 'failed'", parts={Tab.FAILED: ANY}, ends="'failed'"),
    "succeeded": Group(condition="job.status = 'succeeded'", parts={Tab.SUCCEEDED: ANY}, ends="'succeeded'"),
    "cancelled": Group(
        condition="job.status IN ('cancelled', 'aborting', 'aborted')", parts={Tab.CANCELLED: ANY}
    ),
}


GROUP_OF: Mapping[Tab, Group] = {tab: group for group in GROUPS.values() for tab in group.parts} | {
    Tab.ALL: Group(condition=ANY, parts={Tab.ALL: ANY}),
    Tab.ATTENTION: Group(
        condition="job.status IN ('doing', 'failed')",
        parts={Tab.ATTENTION: f"(job.status = 'failed' OR NOT {_ALIVE})"},
    ),
}


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
