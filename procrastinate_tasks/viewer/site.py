"""The admin site with the job viewer in it: a ``default_site``, or a base of a project's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from procrastinate_tasks.viewer.navigation import VIEW_JOBS, navigation
from procrastinate_tasks.viewer.pages import (
    actions,
    audit,
    bulk,
    bulk_new,
    dashboard,
    failures,
    job,
    jobs,
    queues,
    schedule,
    system,
    workers,
)
from procrastinate_tasks.viewer.rendering import render_refusal

Page = Callable[..., HttpResponseBase]


class JobViewerSite(AdminSite):
    """Django's admin with the pages of the queue under ``queue/``."""

    index_template = "procrastinate_tasks/viewer/index.html"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [*self._viewer_urls(), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **super().each_context(request),
            "queue_navigation": navigation(request, site_name=self.name),
        }

    def _viewer_urls(self) -> list[URLPattern]:
        return [
            self._page("queue/", dashboard.show, "queue_dashboard"),
            self._page("queue/state.json", dashboard.show_state_json, "queue_state_json"),
            self._page("queue/jobs/", jobs.show, "queue_jobs"),
            self._page("queue/jobs/<int:job_id>/", job.show, "queue_job"),
            self._page("queue/confirm/", actions.confirm, "queue_confirm"),
            self._page("queue/act/", actions.perform, "queue_act"),
            self._page("queue/results/<uuid:group>/", actions.show_result, "queue_result"),
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

        return path(route, self.admin_view(guarded), name=name)
