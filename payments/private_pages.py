"""Pages that belong to whoever has their address."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache


def private_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Keep a page with a secret address out of search engines, caches and other sites' logs."""

    @never_cache
    @wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.headers["X-Robots-Tag"] = "noindex"
        # Stricter would be "no-referrer", but then browsers send "Origin: null" and no form passes CSRF.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return respond
