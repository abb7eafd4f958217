"""Renders the job viewer's pages within a few seconds: whole, as their live region, or as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from django.contrib.admin import AdminSite
from django.db import OperationalError, connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from procrastinate.contrib.django.settings import settings as procrastinate_settings
from procrastinate.exceptions import ConnectorException
from psycopg.errors import QueryCanceled

from procrastinate_tasks.queries.filters import read_instant
from procrastinate_tasks.queues.pauses import list_pauses

LIVE_HEADER = "X-Live-Region"
"""A page's own script sends it to get nothing but the region that changes."""

SEEN_HEADER = "X-Seen-As-Of"
"""Of when the region is that the page shows: it is never shown an older one."""

AS_OF_HEADER = "X-As-Of"
"""Of when the answer is, in words, for a page that is told that nothing else has changed."""

READ_AT_HEADER = "X-Read-At"
"""The same instant, for its script."""

# The moment of an age stays in: its words change by themselves. An instant in an address is that at which the
# number was counted: as long as that is the same, the address before leads to as many rows.
_TIMES = re.compile(
    rb"(?<=<time data-as-of)[^>]*>[^<]*"
    rb"|(?<=<time data-age)(?P<moment>[^>]*>)[^<]*"
    rb"|(?<==)\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d+%2B00%3A00"
)
_AS_OF = re.compile(rb'<time data-as-of datetime="([^"]*)"[^>]*>([^<]*)')


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
        "pauses": context["pauses"] if "pauses" in context else list_pauses(),
        "frame": f"{_FOLDER}/region.html" if is_region else "admin/base_site.html",
        **context,
    }
    response = HttpResponse(render_to_string(f"{_FOLDER}/{template}", everything, request), status=status)
    patch_cache_control(response, no_cache=True, private=True)
    return _unless_unchanged(request, response) if is_region and status == 200 else response


def seen_as_of(request: HttpRequest) -> datetime | None:
    """Return of when the region is that a page's script asks anew; None where a whole page is asked for."""
    return read_instant(request.headers.get(SEEN_HEADER, "")) if LIVE_HEADER in request.headers else None


def render_refusal(request: HttpRequest, site: AdminSite, *, sentence: str = "") -> HttpResponse:
    """Say that the page, or what was asked for, is not this user's: status 403."""
    context = {
        "title": _("You may not do this"),
        "sentence": sentence or _("Your account does not have the permission for this page."),
    }
    return render_page(request, site, "refused.html", context, status=403)


def _unless_unchanged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Answer 304 when nothing but the time has changed since, and pack what is sent.

    Only a page's own script sends the header, which no other site may: what is packed gives nothing away.
    """
    digest = blake2b(
        _TIMES.sub(lambda found: found["moment"] or b"", response.content), digest_size=12
    ).hexdigest()
    etag, as_of = f'W/"{digest}"', _AS_OF.search(response.content)
    response.headers["ETag"] = etag
    patch_vary_headers(response, [LIVE_HEADER])
    answer = get_conditional_response(request, etag=etag, response=response) or response
    if as_of is not None:
        answer.headers[READ_AT_HEADER], answer.headers[AS_OF_HEADER] = (
            as_of[1].decode(),
            quote(as_of[2].decode()),
        )
    return gzip_page(lambda _request: answer)(request)


LONGEST_QUERY = timedelta(seconds=3)


class QueryTookTooLong(Exception):
    """A page's query was stopped after ``LONGEST_QUERY``."""


@contextmanager
def statement_timeout() -> Iterator[None]:
    """Stop queries that take longer, and leave the connection usable.

    Raises:
        QueryTookTooLong: a query did.
    """
    alias = procrastinate_settings.DATABASE_ALIAS
    milliseconds = LONGEST_QUERY // timedelta(milliseconds=1)
    try:
        with transaction.atomic(using=alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
    except (OperationalError, ConnectorException) as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise QueryTookTooLong from error
        raise


_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def stream_csv(
    heading: Sequence[object], rows: Iterable[Sequence[object]], *, name: str
) -> StreamingHttpResponse:
    """Stream a table; a cell that a spreadsheet would take for a formula is quoted."""
    writer = csv.writer(_Echo())
    lines: Iterable[Any] = (writer.writerow([_harmless(cell) for cell in row]) for row in rows)
    response = StreamingHttpResponse(
        _after(writer.writerow([str(cell) for cell in heading]), lines),
        content_type="text/csv; charset=utf-8",
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _after(first: Any, rest: Iterable[Any]) -> Iterable[Any]:
    yield "\ufeff"  # spreadsheets take a file without it for another encoding
    yield first
    yield from rest


def _harmless(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
