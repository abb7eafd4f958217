"""What happened to a job, step by step, from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from procrastinate_tasks.viewer.figures import duration_in_words

_LABELS: Mapping[str, str | Promise] = {
    "deferred": gettext_lazy("Deferred"),
    "scheduled": gettext_lazy("Due"),
    "started": gettext_lazy("Started"),
    "deferred_for_retry": gettext_lazy("Failed, to be retried"),
    "failed": gettext_lazy("Failed"),
    "succeeded": gettext_lazy("Succeeded"),
    "cancelled": gettext_lazy("Cancelled"),
    "abort_requested": gettext_lazy("Asked to stop"),
    "aborted": gettext_lazy("Stopped"),
    "retried": gettext_lazy("Let wait again, by hand"),
}
_ICONS: Mapping[str, str] = {
    "deferred": "ready",
    "scheduled": "scheduled",
    "started": "running",
    "deferred_for_retry": "retrying",
    "failed": "failed",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
    "abort_requested": "aborted",
    "aborted": "aborted",
    "retried": "retrying",
}
_RUN_ENDS = ("deferred_for_retry", "failed", "succeeded", "aborted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    type: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An event in words; ``lasted`` tells what it took to come to it. ``run`` counts the starts."""

    label: str
    icon: str
    at: datetime
    lasted: str = ""
    run: int = 0


def tell_steps(events: Iterable[Event]) -> tuple[Step, ...]:
    """Turn events, oldest first, into steps with the waits and runs between them.

    Procrastinate notes the time a job is due as an event of that time, which is no step of its own.
    """
    steps: list[Step] = []
    before: Event | None = None
    runs = 0
    for event in events:
        runs += event.type == "started"
        steps.append(
            Step(
                label=str(_LABELS.get(event.type, event.type)),
                icon=_ICONS.get(event.type, "ready"),
                at=event.at,
                lasted=_gap_in_words(before, event),
                run=runs if event.type == "started" else 0,
            )
        )
        before = event if event.type != "scheduled" else before
    return tuple(steps)


def _gap_in_words(before: Event | None, event: Event) -> str:
    if before is None or event.type == "scheduled":
        return ""
    span = duration_in_words(max(event.at - before.at, timedelta(0)))
    if before.type == "started" and event.type in _RUN_ENDS:
        return _("ran %(span)s") % {"span": span}
    if event.type == "started":
        return _("waited %(span)s") % {"span": span}
    return _("after %(span)s") % {"span": span}
