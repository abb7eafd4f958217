"""The admin site with the job viewer in it: a ``default_site``, or a base of a project's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, path, reverse

from procrastinate_tasks.actions.permissions import VIEW_JOBS, VIEW_STACKS
from procrastinate_tasks.database import DATABASE_FAULTS, is_away
from procrastinate_tasks.models import Job
from procrastinate_tasks.queries.filters import read_whole
from procrastinate_tasks.queues.pauses import list_pauses
from procrastinate_tasks.viewer.navigation import navigation
from procrastinate_tasks.viewer.pages import (
    actions,
    alerts,
    audit,
    bulk,
    bulk_new,
    dashboard,
    failures,
    job,
    jobs,
    queues,
    schedule,
    stack,
    system,
    workers,
)
from procrastinate_tasks.viewer.rendering import LIVE_HEADER, render_refusal

Page = Callable[..., HttpResponseBase]


class JobViewerSite(AdminSite):
    """Django's admin with the pages of the queue under ``queue/``."""

    index_template = "procrastinate_tasks/viewer/index.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.register(Job, JobAdmin)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [*self._viewer_urls(), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "queue_navigation": navigation(request, site_name=self.name),
            # Asked for where a template names it only.
            "queue_pauses": list_pauses if request.user.has_perm(VIEW_JOBS) else (),
        }

    def _viewer_urls(self) -> list[URLPattern]:
        return [
            self._page("queue/", dashboard.show, "queue_dashboard"),
            self._page("queue/state.json", dashboard.show_state_json, "queue_state_json"),
            self._page("queue/jobs/", jobs.show, "queue_jobs"),
            self._page("queue/jobs/<int:job_id>/", job.show, "queue_job"),
            self._page(
                "queue/jobs/<int:job_id>/stack/", stack.show, "queue_job_stack", permission=VIEW_STACKS
            ),
            self._page("queue/confirm/", actions.confirm, "queue_confirm"),
            self._page("queue/act/", actions.perform, "queue_act"),
            self._page("queue/results/<uuid:group>/", actions.show_result, "queue_result"),
            self._page("queue/alerts/", alerts.show, "queue_alerts"),
            self._page("queue/failures/", failures.show, "queue_failures"),
            self._page("queue/queues/", queues.show, "queue_queues"),
            self._page("queue/workers/", workers.show, "queue_workers"),
            self._page("queue/schedule/", schedule.show, "queue_schedule"),
            self._page("queue/bulk/", bulk.show, "queue_bulk"),
            self._page("queue/bulk/new/", bulk_new.show, "queue_bulk_new"),
            self._page("queue/bulk/<int:operation_id>/", bulk.show_one, "queue_bulk_detail"),
            self._page("queue/audit/", audit.show, "queue_audit"),
            self._page("queue/system/", system.show, "queue_system"),
        ]

    def _page(self, route: str, page: Page, name: str, *, permission: str = VIEW_JOBS) -> URLPattern:
        """Serve ``page(request, site, …)`` to staff with the permission, and a 403 to the rest of them."""

        def guarded(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                return render_refusal(request, self)
            return page(request, self, **arguments)

        is_for_scripts = name == "queue_state_json"
        return path(route, self._told_of_ended_sessions(guarded, is_for_scripts=is_for_scripts), name=name)

    def _told_of_ended_sessions(self, page: Callable[..., Any], *, is_for_scripts: bool) -> Page:
        """Answer a script whose session has ended with 401: it cannot tell a login page from a fault.

        While the database is away it is 503: to come again helps.
        """
        for_people: Page = self.admin_view(page)

        @wraps(for_people)
        def answer(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
            asked_by_script = is_for_scripts or LIVE_HEADER in request.headers
            try:
                if asked_by_script and not self.has_permission(request):
                    return HttpResponse(status=401, headers={"WWW-Authenticate": "Session"})
                return for_people(request, **arguments)
            except DATABASE_FAULTS as fault:
                if not (asked_by_script and is_away(fault)):
                    raise
                return HttpResponse(status=503, headers={"Retry-After": "5"})

        return answer


if TYPE_CHECKING:
    JobModelAdmin = admin.ModelAdmin[Job]
else:
    JobModelAdmin = admin.ModelAdmin


class JobAdmin(JobModelAdmin):
    """Jobs are never added, changed or deleted here: what may be done to them, the viewer does."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect(self._address("queue_jobs"))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the job's page; adding and changing stay forbidden."""
        if request.method != "GET" or object_id is None:
            return super().changeform_view(request, object_id, form_url, extra_context)
        return redirect(self._address("queue_job", read_whole(object_id) or 0))

    def _address(self, name: str, *arguments: object) -> str:
        return reverse(f"admin:{name}", args=arguments, current_app=self.admin_site.name)
