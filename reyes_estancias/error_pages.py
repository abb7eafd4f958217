"""The number by which a failed request is found in the log: told on each page of an error."""

from __future__ import annotations

import re
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.template.loader import render_to_string

# As routers write it; whatever else a client sends is not shown.
_FOLIO = re.compile(r"[0-9A-Za-z-]{8,64}")


def folio_of(request: HttpRequest) -> str:
    """Return the request id that the access log has too; empty where no router gives one."""
    given = request.headers.get("X-Request-Id", "")
    return given if _FOLIO.fullmatch(given) else ""


def show_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that a request could not be read; nothing of it is trusted but its number."""
    return HttpResponseBadRequest(render_to_string("400.html", {"folio": folio_of(request)}))


def show_fault(request: HttpRequest) -> HttpResponse:
    """Say that we failed, with no session, user or database: 503 where it is the database that is away."""
    is_away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    code = 503 if is_away else 500
    page = render_to_string("500.html", {"folio": folio_of(request), "code": code})
    return HttpResponse(page, status=code, headers={"Retry-After": "5"} if is_away else None)
