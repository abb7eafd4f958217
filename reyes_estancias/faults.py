"""What a visitor gets whose page failed: come again in a moment, if it was the database that is away."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error


def show_fault(request: HttpRequest) -> HttpResponse:
    """Answer 503 while the database cannot be asked, 500 for any other fault."""
    response = server_error(request)
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return response
