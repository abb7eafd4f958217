"""What a visitor gets whose page failed: come again in a moment, if it was the database that is away."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

from procrastinate_tasks.database import is_away


def show_fault(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database cannot be asked, 500 for any other fault."""
    response = server_error(request)
    fault = sys.exc_info()[1]
    if fault is not None and is_away(fault):
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return response
