"""The page of the viewer: Bulk operations."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from procrastinate_tasks.viewer.rendering import render_page


def show(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return render_page(request, site, "bulk.html", {"title": _("Bulk operations")})


def show_new(request: HttpRequest, site: AdminSite) -> HttpResponse:
    return render_page(request, site, "bulk.html", {"title": _("Bulk operations")})


def show_one(request: HttpRequest, site: AdminSite, operation_id: int) -> HttpResponse:
    return render_page(request, site, "bulk.html", {"title": _("Bulk operations")})
