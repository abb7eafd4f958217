"""The page of the viewer: Workers."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return render_page(request, site, "workers.html", {"title": _("Workers")})
