"""Staff do not stay signed in: a session ends when nobody uses it, and after a working day in any case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from reyes_estancias.visitors import PROBED

_SIGNED_IN = "staff_signed_in"
_SEEN = "staff_seen"
# So often is written down that somebody is there, and not with every page.
_STEP = timedelta(minutes=1)


class StaffSessionMiddleware:
    """Sign out who was away for ``STAFF_SESSION_IDLE``, or signed in ``STAFF_SESSION_LONGEST`` ago.

    A page that refreshes itself is no sign of anybody: only what a person opens or sends counts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A probe is answered without the database, also when somebody's browser asks.
        if not PROBED.match(request.path_info) and request.user.is_authenticated:
            _keep_or_end(request, timezone.now())
        return self._get_response(request)


def _keep_or_end(request: HttpRequest, now: datetime) -> None:
    signed_in, seen = _read(request, _SIGNED_IN), _read(request, _SEEN)
    if signed_in is None or seen is None:
        _write(request, _SIGNED_IN, now)
        _write(request, _SEEN, now)
    elif now - signed_in > settings.STAFF_SESSION_LONGEST or now - seen > settings.STAFF_SESSION_IDLE:
        logout(request)
    elif now - seen > _STEP and _is_by_a_person(request):
        _write(request, _SEEN, now)


def _is_by_a_person(request: HttpRequest) -> bool:
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _read(request: HttpRequest, name: str) -> datetime | None:
    stored = request.session.get(name)
    return datetime.fromisoformat(stored) if stored else None


def _write(request: HttpRequest, name: str, now: datetime) -> None:
    request.session[name] = now.isoformat()
