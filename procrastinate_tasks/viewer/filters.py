"""Filters of the job list: their choices come from the code, never from a scan of the table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from procrastinate_tasks import queries
from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.models import Job
from procrastinate_tasks.policies import JobState

STATE_LABELS: dict[JobState, Promise] = {
    JobState.READY: _("Ready"),
    JobState.SCHEDULED: _("Scheduled"),
    JobState.RETRYING: _("Waiting for its retry"),
    JobState.RUNNING: _("Running"),
    JobState.ORPHANED: _("Orphaned"),
    JobState.SUCCEEDED: _("Succeeded"),
    JobState.FAILED: _("Failed"),
    JobState.CANCELLED: _("Cancelled"),
    JobState.ABORTED: _("Aborted"),
}


def in_state(state: JobState, *, orphaned_after: timedelta) -> Q:
    """Return the condition of a state: what ``policies.job_state`` tells of one job, for many."""
    is_due = Q(scheduled_at__isnull=True) | Q(scheduled_at__lte=Now())
    is_alive = Q(worker__last_heartbeat__gte=Now() - orphaned_after)
    conditions = {
        JobState.READY: Q(status="todo") & is_due,
        JobState.SCHEDULED: Q(status="todo", scheduled_at__gt=Now(), attempts=0),
        JobState.RETRYING: Q(status="todo", scheduled_at__gt=Now(), attempts__gt=0),
        JobState.RUNNING: Q(status="doing") & is_alive,
        JobState.ORPHANED: Q(status="doing") & (Q(worker__isnull=True) | ~is_alive),
        JobState.ABORTED: Q(status__in=("aborted", "aborting")),
    }
    return conditions.get(state, Q(status=state.value))


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(state.value, label) for state, label in STATE_LABELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        state = next((state for state in JobState if state.value == self.value()), None)
        if state is None:
            return queryset
        return queryset.filter(in_state(state, orphaned_after=queue_settings().orphaned_after))


class TaskFilter(admin.SimpleListFilter):
    title = _("task")
    parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(task.name, task.name) for task in queries.list_tasks()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(task_name=self.value()) if self.value() else queryset


class QueueFilter(admin.SimpleListFilter):
    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(queue, queue) for queue in sorted({task.queue for task in queries.list_tasks()})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(queue_name=self.value()) if self.value() else queryset
