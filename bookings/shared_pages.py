"""Pages that are the same for everybody who asks, drawn once for all that they show: never out of date."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256

from django.conf import settings
from django.contrib.messages import get_messages
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import get_language

# Stands in a kept page for the token of whoever is shown it.
_TOKEN = secrets.token_hex(32)


def render_shared(
    request: HttpRequest,
    template: str,
    read_context: Callable[[], dict[str, object]],
    *,
    shows: object,
) -> HttpResponse:
    """Render a page, from what was kept of it when it asks for nothing and tells nobody anything.

    Args:
        read_context: asked for only when the page has to be drawn.
        shows: every fact that the page shows; ``None`` when one of them is its visitor's alone.
    """
    if shows is None or request.method != "GET" or request.GET or len(get_messages(request)):
        return render(request, template, read_context())
    pages, key = caches["shared_pages"], _key_of(request.path, template, shows)
    drawn = pages.get(key)
    if drawn is None:
        drawn = render_to_string(template, {**read_context(), "csrf_token": _TOKEN}, request)
        pages.set(key, drawn, None)
    return HttpResponse(drawn.replace(_TOKEN, get_token(request)))


def _key_of(*facts: object) -> str:
    of_the_site = (get_language(), settings.COMPANY, settings.DEFAULT_FROM_EMAIL)
    return sha256(repr((facts, of_the_site)).encode("utf-8", "surrogatepass")).hexdigest()
