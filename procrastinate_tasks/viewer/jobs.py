"""The job viewer: a list and a page for each job, read only but for retrying what failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from procrastinate.contrib.django.models import ProcrastinateEvent

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.models import Job, JobAttempt
from procrastinate_tasks.operations import retry_by_hand
from procrastinate_tasks.policies import JobState, job_state
from procrastinate_tasks.queries import why_not_running
from procrastinate_tasks.viewer.filters import STATE_LABELS, QueueFilter, StateFilter, TaskFilter
from procrastinate_tasks.viewer.paging import CappedPaginator

_MOST_ROWS_SHOWN = 100


if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


class JobAdmin(JobModelAdmin):
    list_display = ("id", "task_name", "state", "queue_name", "attempts", "due_at", "priority")
    list_filter = (StateFilter, QueueFilter, TaskFilter)
    list_per_page = 50
    list_select_related = ("worker",)
    ordering = ("-id",)
    sortable_by = ()
    paginator = CappedPaginator
    show_full_result_count = False
    search_fields = ("id",)
    search_help_text = gettext_lazy("The number of a job, or a whole queueing lock")
    actions = ("retry",)
    fields = (
        "id",
        "task_name",
        "state",
        "explanation",
        "arguments",
        "queue_name",
        "priority",
        "attempts",
        "due_at",
        "lock",
        "queueing_lock",
        "worker_id",
    )
    readonly_fields = fields

    class Media:
        css = {"all": ("procrastinate_tasks/jobs.css",)}  # noqa: RUF012 - Django's own form

    # --- What is allowed ----------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("procrastinate_tasks.retry_job")

    # --- What is shown ------------------------------------------------------------------------------------

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Look up whole values only: a search inside texts would read the whole table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if term.isdecimal():
            return queryset.filter(id=min(int(term), 2**63 - 1)), False
        return queryset.filter(queueing_lock=term), False

    @admin.display(description=gettext_lazy("state"))
    def state(self, job: Job) -> str:
        state = self._state_of(job)
        return format_html('<span class="job-state job-state-{}">{}</span>', state.value, STATE_LABELS[state])

    @admin.display(description=gettext_lazy("explanation"))
    def explanation(self, job: Job) -> str:
        return why_not_running(job.pk).sentence

    @admin.display(description=gettext_lazy("due"))
    def due_at(self, job: Job) -> Any:
        return job.scheduled_at

    @admin.display(description=gettext_lazy("arguments"))
    def arguments(self, job: Job) -> str:
        """Hidden by ``change_view`` from those who may not see them."""
        if not getattr(job, "shows_arguments", False):
            return _("Hidden: the permission to see the arguments of jobs is needed.")
        text = json.dumps(job.args, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="job-text">{}</pre>', text)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Job | None:
        job = super().get_object(request, object_id, from_field)
        if job is not None:
            allowed = request.user.has_perm("procrastinate_tasks.view_job_arguments")
            job.shows_arguments = allowed  # type: ignore[attr-defined]
        return job

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add the job's attempts and events, the latest first."""
        job_id = int(object_id) if object_id.isdecimal() else 0
        history = {
            "attempts": JobAttempt.objects.filter(job_id=job_id).order_by("-id")[:_MOST_ROWS_SHOWN],
            "events": ProcrastinateEvent.objects.filter(job_id=job_id).order_by("-id")[:_MOST_ROWS_SHOWN],
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **history})

    def _state_of(self, job: Job) -> JobState:
        now = timezone.now()
        is_alive = (
            job.worker is not None and now - job.worker.last_heartbeat < queue_settings().orphaned_after
        )
        return job_state(
            status=job.status,
            scheduled_at=job.scheduled_at,
            attempts=job.attempts,
            worker_is_alive=is_alive,
            now=now,
        )

    # --- What can be done ---------------------------------------------------------------------------------

    @admin.action(description=gettext_lazy("Retry failed or aborted jobs"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        chosen = list(queryset.order_by("id"))
        report = retry_by_hand([job.id for job in chosen])
        retried = [job for job in chosen if job.id in set(report.retried)]
        if retried:
            LogEntry.objects.log_actions(request.user.pk, retried, CHANGE, "Retried by hand.")  # type: ignore[arg-type]
            count = len(retried)
            text = ngettext("%(count)d job waits again.", "%(count)d jobs wait again.", count)
            self.message_user(request, text % {"count": count}, messages.SUCCESS)
        if report.refused:
            numbers = ", ".join(str(job_id) for job_id in report.refused)
            text = _(
                "Left as they are, because they have not failed "
                "or another job with their queueing lock waits: %(numbers)s"
            )
            self.message_user(request, text % {"numbers": numbers}, messages.WARNING)
