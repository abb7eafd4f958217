"""What the viewer's forms send: a token that makes a double click one deed, who acts, and the way back."""

from __future__ import annotations

from uuid import uuid4

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from procrastinate_tasks.action_reports import Actor

_LONGEST_TOKEN = 100
_LONGEST_REQUEST_ID = 200


def new_token() -> str:
    """Return a form's idempotency token."""
    return uuid4().hex


def read_token(request: HttpRequest) -> str:
    return request.POST.get("token", "")[:_LONGEST_TOKEN]


def actor_of(request: HttpRequest) -> Actor:
    """Return who sends a request."""
    return Actor(
        name=request.user.get_username(),
        user_id=request.user.pk,
        request_id=request.headers.get("X-Request-Id", "")[:_LONGEST_REQUEST_ID],
    )


def way_back(request: HttpRequest, *, site_name: str) -> str:
    """Return where the reader came from, if that is a page of this site, or else the list of jobs."""
    wanted = (request.POST or request.GET).get("next", "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if wanted and is_ours else reverse("admin:queue_jobs", current_app=site_name)
