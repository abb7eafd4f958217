"""What the viewer's forms and addresses ask for: an action on jobs, a queue, a task, an alert, a schedule.

A token makes a double click one deed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from procrastinate_tasks.actions.policies import (
    ALERT_ACTIONS,
    FAULT_ACTIONS,
    JOB_ACTIONS,
    QUEUE_ACTIONS,
    SCHEDULE_ACTIONS,
    TASK_ACTIONS,
    Action,
)
from procrastinate_tasks.actions.reports import MOST_JOBS, ActionRequest, Actor
from procrastinate_tasks.conf import QueueLimit, Rate
from procrastinate_tasks.database import database_now
from procrastinate_tasks.queries.filters import ShortText, read_instant, read_whole

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


LONGEST_REASON = 2000


ANY_REASON = "(dry run)"
"""Stands for the reason that a page asks for: its dry run is about the jobs."""


_DEFAULT_PERIOD_SECONDS = 60.0


_LONGEST_PAUSE_MINUTES = 60 * 24 * 365


_LONGEST_FAULT = 400


_LONGEST_ALERT = 401


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class _JobIds(forms.Field):
    """Jobs by their numbers; what is no number is left out."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Sequence[str] | None) -> tuple[str, ...]:
        numbers = (read_whole(text) for text in value or ())
        return tuple(str(number) for number in numbers if number is not None)


class _ZeroIfUnreadable(forms.Field):
    """A limit. What is no number counts as 0, which is refused: it must not lift a limit."""

    def clean(self, value: object) -> object:
        try:
            return super().clean(value)
        except forms.ValidationError:
            return 0


class _Count(_ZeroIfUnreadable, forms.IntegerField):
    pass


class _Seconds(_ZeroIfUnreadable, forms.FloatField):
    pass


_NAMED_BY = {
    **dict.fromkeys(QUEUE_ACTIONS, "queue"),
    **dict.fromkeys(TASK_ACTIONS, "task"),
    **dict.fromkeys(FAULT_ACTIONS, "fault"),
    **dict.fromkeys(ALERT_ACTIONS, "alert"),
    **dict.fromkeys(SCHEDULE_ACTIONS, "schedule"),
}


class ActionForm(forms.Form):
    """An action on jobs, a queue, a task, an alert or a schedule, from an address or a form.

    A button of a list names the action and its job in ``do``: ``retry:123``. It is valid if it asks for
    something that can be done.
    """

    do = ShortText(most=50)
    action = ShortText(most=50)
    job = _JobIds(required=False)
    queue = ShortText(most=255)
    task = ShortText(most=255)
    fault = ShortText(most=_LONGEST_FAULT)
    alert = ShortText(most=_LONGEST_ALERT)
    schedule = ShortText(most=255)
    minutes = _Count(required=False, min_value=0, max_value=_LONGEST_PAUSE_MINUTES)
    until = ShortText(most=40)
    reason = ShortText(most=LONGEST_REASON)
    typed = ShortText(most=255)
    token = ShortText(most=_LONGEST_TOKEN)
    confirmed = ShortText(most=10)
    rate = _Count(required=False, min_value=0, max_value=_LARGEST_NUMBER)
    rate_seconds = _Seconds(required=False, min_value=0, max_value=_LARGEST_NUMBER)
    concurrency = _Count(required=False, min_value=0, max_value=_LARGEST_NUMBER)

    def clean(self) -> dict[str, Any]:
        """Find the action and its targets; ``targets`` is empty where nothing can be done."""
        asked = self.cleaned_data
        word, _, number = asked["do"].partition(":")
        action = next((action for action in Action if action == (word or asked["action"])), None)
        targets: tuple[str, ...] = ()
        if action in JOB_ACTIONS:
            targets = _JobIds().clean([number]) if number else asked["job"]
        elif action in _NAMED_BY:
            name = asked[_NAMED_BY[action]]
            targets = (name,) if name else ()
        if not 0 < len(targets) <= MOST_JOBS:
            raise forms.ValidationError("nothing to do")
        return {**asked, "action": action, "targets": targets}

    @property
    def is_confirmed(self) -> bool:
        return bool(self.cleaned_data["confirmed"] == "yes")

    def request_by(self, actor: Actor) -> ActionRequest:
        """Return what is asked for, of a valid form."""
        asked = self.cleaned_data
        rate, seconds = asked["rate"], asked["rate_seconds"]
        period = timedelta(seconds=_DEFAULT_PERIOD_SECONDS if seconds is None else seconds)
        return ActionRequest(
            action=asked["action"],
            targets=asked["targets"],
            actor=actor,
            reason=asked["reason"],
            token=asked["token"],
            limit=QueueLimit(
                rate=None if rate is None else Rate(rate, per=period), concurrency=asked["concurrency"]
            ),
            until=self._until(),
        )

    def _until(self) -> datetime | None:
        """Return when a pause or a silence shall end: at a time that was given, or after so long, or never.

        A time that cannot be read is the past, which is refused: it must not hold for good.
        """
        asked = self.cleaned_data
        if asked["until"]:
            return read_instant(asked["until"]) or _LONG_AGO
        return database_now() + timedelta(minutes=asked["minutes"]) if asked["minutes"] else None
