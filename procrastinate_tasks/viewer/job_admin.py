"""Jobs among the admin's models: their addresses lead to the job viewer's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from procrastinate_tasks.models import Job
from procrastinate_tasks.viewer.numbers import read_whole

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
