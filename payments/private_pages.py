"""Pages that belong to whoever has their address."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache

from bookings import own_holds
from bookings.models import Booking
from bookings.queries import LinkReplaced
from bookings.responses import SeeOther


def private_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Keep a page with a secret address out of search engines, caches and other sites' logs.

    A link that was replaced leads on the browser that holds the dates, as from a page of Stripe's or in
    another tab; to everybody else it is no link.
    """

    @never_cache
    @wraps(view)
    def respond(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except LinkReplaced as replaced:
            response = _lead_on(request, replaced.booking)
        response.headers["X-Robots-Tag"] = "noindex"
        # Stricter would be "no-referrer", but then browsers send "Origin: null" and no form passes CSRF.
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    return respond


def _lead_on(request: HttpRequest, booking: Booking) -> HttpResponseBase:
    if not own_holds.is_remembered(request, booking):
        raise Http404
    query = request.GET.urlencode()
    return SeeOther(f"{booking.get_absolute_url()}?{query}" if query else booking.get_absolute_url())
