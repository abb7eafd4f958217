"""Renders the job viewer's pages: whole, or only their live region for a page that refreshes itself."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import gettext as _

LIVE_HEADER = "X-Live-Region"
"""A page's own script sends it to get nothing but the region that changes."""

_FOLDER = "procrastinate_tasks/viewer"


def render_page(
    request: HttpRequest,
    site: AdminSite,
    template: str,
    context: Mapping[str, object],
    *,
    status: int = 200,
) -> HttpResponse:
    """Render ``viewer/<template>``; the same page again, unchanged, costs a 304.

    Args:
        context: needs ``title``. What stands in the template's block ``live`` is what the page refreshes; it
            must hold no form token, which is another each time: its buttons name the form ``act`` instead.
    """
    is_region = LIVE_HEADER in request.headers
    request.current_app = site.name
    everything = {
        **site.each_context(request),
        "is_nav_sidebar_enabled": False,
        "frame": f"{_FOLDER}/region.html" if is_region else "admin/base_site.html",
        **context,
    }
    response = HttpResponse(render_to_string(f"{_FOLDER}/{template}", everything, request), status=status)
    patch_cache_control(response, no_cache=True, private=True)
    return _unless_unchanged(request, response) if is_region and status == 200 else response


def render_refusal(request: HttpRequest, site: AdminSite, *, sentence: str = "") -> HttpResponse:
    """Say that the page, or what was asked for, is not this user's: status 403."""
    context = {
        "title": _("You may not do this"),
        "sentence": sentence or _("Your account does not have the permission for this page."),
    }
    return render_page(request, site, "refused.html", context, status=403)


def _unless_unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    digest = blake2b(response.content, digest_size=12).hexdigest()
    response.headers["ETag"] = f'"{digest}"'
    response.headers["Vary"] = LIVE_HEADER
    return get_conditional_response(request, etag=f'"{digest}"', response=response) or response
