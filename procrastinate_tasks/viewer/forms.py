"""What the viewer's forms and addresses ask for: an action on jobs, a queue or a schedule.

A token makes a double click one deed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol
from uuid import uuid4

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import _TARGET_TYPES, MOST_JOBS, Actor, Asked
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.models import TargetType
from procrastinate_tasks.queries.filters import read_decimal, read_whole

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


_LARGEST_NUMBER = 2**31 - 1


_LONGEST_REASON = 2000


_DEFAULT_PERIOD = "60"


class Parameters(Protocol):
    """What a request's GET or POST can be asked."""

    def get(self, key: str, default: str) -> str | list[object]: ...
    def getlist(self, key: str) -> Sequence[object]: ...


def read_asked(parameters: Parameters) -> Asked | None:
    """Read what is asked for; None if it is nothing that can be done.

    A button of a list names both in ``do``: ``retry:123``.
    """
    word, _, number = _text(parameters, "do").partition(":")
    action = _read_action(word or _text(parameters, "action"))
    target_type = next((target for actions, target in _TARGET_TYPES if action in actions), None)
    if action is None or target_type is None:
        return None
    is_about_jobs = target_type is TargetType.JOB
    job_ids = _read_ids([number] if number else parameters.getlist("job")) if is_about_jobs else ()
    name = "" if is_about_jobs else _text(parameters, target_type.value)[:255]
    if not name and not 0 < len(job_ids) <= MOST_JOBS:
        return None
    return Asked(
        action=action,
        target_type=target_type,
        job_ids=job_ids,
        name=name,
        reason=_text(parameters, "reason")[:_LONGEST_REASON],
        typed=_text(parameters, "typed"),
        is_confirmed=_text(parameters, "confirmed") == "yes",
        limit=_read_limit(parameters),
    )


def _read_action(word: str) -> Action | None:
    return next((action for action in Action if action == word), None)


def _read_ids(values: Sequence[object]) -> tuple[int, ...]:
    ids = (read_whole(str(value)) for value in values)
    return tuple(dict.fromkeys(job_id for job_id in ids if job_id is not None))


def _read_limit(parameters: Parameters) -> QueueLimit:
    """Read the limits wanted. What is no number counts as 0, which is refused: it must not lift a limit."""
    count, seconds = _number(parameters, "rate"), _text(parameters, "rate_seconds") or _DEFAULT_PERIOD
    rate = None
    if count is not None:
        period = read_decimal(seconds, most=_LARGEST_NUMBER) or 0
        rate = Rate(count, per=timedelta(seconds=float(period)))
    return QueueLimit(rate=rate, concurrency=_number(parameters, "concurrency"))


def _number(parameters: Parameters, name: str) -> int | None:
    text = _text(parameters, name)
    return (read_whole(text, most=_LARGEST_NUMBER) or 0) if text else None


def _text(parameters: Parameters, name: str) -> str:
    return str(parameters.get(name, "")).strip().replace("\x00", "")
