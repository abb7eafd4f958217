"""Template tags of the job viewer: moments, numbers, durations, states."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from procrastinate_tasks import formatting
from procrastinate_tasks.formatting import age_in_words, duration_in_words
from procrastinate_tasks.jobs.descriptions import title_of
from procrastinate_tasks.jobs.states import STATE_LABELS, JobState
from procrastinate_tasks.queries.job import Attempt

register = template.Library()


@register.simple_tag
def moment(at: datetime | None, now: datetime | None = None) -> SafeString | str:
    """Show how long ago something was; its title has the local time and UTC.

    What is marked as an age grows in the browser, and is left out of what makes a live region new.
    """
    if at is None:
        return "–"
    words = age_in_words(at, now=now or datetime.now(UTC))
    return _age(_iso(at), exactly(at), words)


@register.simple_tag
def clock(at: datetime | None) -> SafeString | str:
    """Show a moment to the second, in local time; its title adds UTC."""
    if at is None:
        return "–"
    words = formatting.moment_in_words(at)
    return format_html('<time datetime="{}" title="{}">{}</time>', _iso(at), exactly(at), words)


@register.filter
def exactly(at: datetime) -> str:
    """Return a moment in the local zone, with its name, and in UTC."""
    zone = timezone.get_current_timezone_name()
    return _("%(local)s (%(zone)s) · %(utc)s UTC") % {
        "local": formatting.moment_in_words(at),
        "zone": zone,
        "utc": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }


@register.filter
def lasting(duration: timedelta | None) -> str:
    """Return a duration in words."""
    return duration_in_words(duration)


@register.filter
def run_time(attempt: Attempt) -> str:
    """Return how long an attempt ran, in words."""
    return duration_in_words(attempt.finished_at - attempt.started_at)


@register.simple_tag
def state_badge(state: str) -> SafeString:
    """Show a job's state as an icon and a word."""
    shown = JobState(state)
    return format_html(
        '<span class="jv-state jv-state-{}"><svg aria-hidden="true"><use href="#jv-{}"></use></svg>{}</span>',
        shown.value,
        shown.value,
        STATE_LABELS[shown],
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_UNCAPPED = 10**12


@register.filter
def count(number: int) -> str:
    """Tell a number that is exact."""
    return formatting.count_in_words(number, most=_UNCAPPED)


@register.filter
def capped(number: int) -> str:
    """Tell a number that was counted up to ten thousand."""
    return formatting.count_in_words(number)


@register.filter
def duration(value: timedelta | None) -> str:
    return formatting.duration_in_words(value)


@register.filter
def megabytes(size: int) -> str:
    return formatting.bytes_in_words(size)


@register.filter
def task_title(task_name: str) -> str:
    return title_of(task_name)


@register.filter
def age(at: datetime | None, now: datetime) -> SafeString | str:
    """Tell how long ago something was; its local time and UTC are the tooltip."""
    if at is None:
        return "–"
    return _age(at.isoformat(), exactly(at), formatting.age_in_words(at, now=now))


@register.filter
def span(since: datetime, now: datetime) -> SafeString:
    """Tell how long something has lasted; it grows in the browser, as an age does."""
    frame = '<time data-age="span" datetime="{}" title="{}">{}</time>'
    return format_html(frame, since.isoformat(), exactly(since), formatting.span_in_words(now - since))


@register.filter
def local_moment(at: datetime | None) -> SafeString | str:
    """Tell a local time to the minute; the tooltip has it to the second, and in UTC."""
    return "–" if at is None else _time(at, formatting.moment_in_words(at, to_the_second=False))


@register.filter
def as_of(at: datetime) -> SafeString:
    """Tell of when a page is: left out, too, of what makes its live region new."""
    words = formatting.moment_in_words(at, to_the_second=False)
    return format_html('<time data-as-of datetime="{}" title="{}">{}</time>', _iso(at), exactly(at), words)


def _age(iso: str, title: str, words: str) -> SafeString:
    return format_html('<time data-age datetime="{}" title="{}">{}</time>', iso, title, words)


def _time(at: datetime, words: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exactly(at), words)
