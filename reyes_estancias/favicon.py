"""Where browsers look for the site's icon before they have read a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(public=True, max_age=86_400)
def show_icon(request: HttpRequest) -> HttpResponse:
    """Lead to the icon; its name carries a hash in production, so that this address cannot be the file."""
    return HttpResponseRedirect(static("reyes_estancias/icon.svg"))
