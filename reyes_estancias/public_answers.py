"""What is the same for everybody is kept by caches for everybody, whoever asked first."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class PublicAnswerMiddleware:
    """Take what other middleware says of sessions and languages off answers that views call public.

    A cache would otherwise keep one photo for each visitor, or hand on the cookie of somebody of the office.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if "public" in response.get("Cache-Control", "").split(", "):
            response.headers.pop("Vary", None)
            response.headers.pop("Content-Language", None)
            response.cookies.clear()
        return response
