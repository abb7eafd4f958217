"""The page of the viewer: Audit log."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return render_page(request, site, "audit.html", {"title": _("Audit log")})
