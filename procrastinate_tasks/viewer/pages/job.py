"""The page of the viewer: Job."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite, job_id: int) -> HttpResponse:
    return render_page(request, site, "job.html", {"title": _("Job")})
