"""The page of the viewer: Dashboard."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return render_page(request, site, "dashboard.html", {"title": _("Dashboard")})


def show_state_json(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return JsonResponse({})
