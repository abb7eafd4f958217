"""Answers that Django has no class for."""

from __future__ import annotations

from django.http import HttpResponseRedirect


class SeeOther(HttpResponseRedirect):
    """After a POST: the browser goes on with a GET, and reloading sends nothing twice."""

    status_code = 303
