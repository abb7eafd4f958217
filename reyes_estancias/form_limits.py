"""Nobody sends more forms than a person would: dates cannot be held, nor cards tried, by the hundred.

Counted in Postgres, in one statement, so that it holds for all web processes together and needs no other
server. Reading pages is not limited.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views import View

from procrastinate_tasks import Rate
from reyes_estancias.visitors import pseudonym_of

logger = logging.getLogger(__name__)

_READING = ("GET", "HEAD", "OPTIONS", "TRACE")

# What is over is swept away by whoever sends the first form of a new span.
_COUNT = """
WITH counted AS (
    INSERT INTO reyes_estancias_formcount (kind, visitor, ends_at, count)
    VALUES (%(kind)s, %(visitor)s, %(ends_at)s, 1)
    ON CONFLICT (kind, visitor, ends_at) DO UPDATE SET count = reyes_estancias_formcount.count + 1
    RETURNING count
), swept AS (
    DELETE FROM reyes_estancias_formcount
    WHERE (SELECT count FROM counted) = 1 AND id IN (
        SELECT id FROM reyes_estancias_formcount WHERE ends_at < %(now)s ORDER BY ends_at LIMIT 100
        FOR UPDATE SKIP LOCKED
    )
)
SELECT count FROM counted
"""


class FormLimitMiddleware:
    """Answer 429 to a visitor who sends too many forms.

    ``settings.FORM_LIMITS`` names the rate of a page by the name of its address; "" is for every other page.
    What comes from another program proves itself otherwise: pages without CSRF protection are not counted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse] | View, *args: object
    ) -> HttpResponse | None:
        if request.method in _READING or getattr(view, "csrf_exempt", False):
            return None
        page = request.resolver_match.url_name if request.resolver_match else None
        kind = page if page in settings.FORM_LIMITS else ""
        rate = settings.FORM_LIMITS.get(kind)
        return _refuse_beyond(rate, kind or "", request) if rate is not None else None


def _refuse_beyond(rate: Rate, kind: str, request: HttpRequest) -> HttpResponse | None:
    now = timezone.now()
    ends_at = _end_of_span(rate.per, now)
    if count_form(kind=kind, visitor=pseudonym_of(request), ends_at=ends_at, now=now) <= rate.count:
        return None
    logger.warning("too many forms", extra={"page": kind or "any"})
    response = render(request, "429.html", status=429)
    response.headers["Retry-After"] = str(math.ceil((ends_at - now).total_seconds()))
    return response


def count_form(*, kind: str, visitor: str, ends_at: datetime, now: datetime) -> int:
    """Count one form, and return how many the visitor has sent in this span."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"kind": kind, "visitor": visitor, "ends_at": ends_at, "now": now})
        (count,) = cursor.fetchone()
    sent: int = count
    return sent


def _end_of_span(span: timedelta, now: datetime) -> datetime:
    spans = math.floor(now.timestamp() / span.total_seconds()) + 1
    return datetime.fromtimestamp(spans * span.total_seconds(), tz=UTC)
