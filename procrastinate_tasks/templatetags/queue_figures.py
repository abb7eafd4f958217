"""Filters that tell numbers, durations and times in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from procrastinate_tasks import presentation
from procrastinate_tasks.templatetags.job_viewer import exactly
from procrastinate_tasks.viewer import figures

register = template.Library()

_UNCAPPED = 10**12


@register.filter
def count(number: int) -> str:
    """Tell a number that is exact."""
    return figures.count_in_words(number, most=_UNCAPPED)


@register.filter
def capped(number: int) -> str:
    """Tell a number that was counted up to ten thousand."""
    return figures.count_in_words(number)


@register.filter
def duration(value: timedelta | None) -> str:
    return figures.duration_in_words(value)


@register.filter
def megabytes(size: int) -> str:
    return figures.bytes_in_words(size)


@register.filter
def task_title(task_name: str) -> str:
    return presentation.title_of(task_name)


@register.filter
def age(at: datetime | None, now: datetime) -> SafeString | str:
    """Tell how long ago something was; its local time and UTC are the tooltip."""
    return "–" if at is None else _time(at, figures.age_in_words(at, now=now))


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """Tell a local time to the minute; the tooltip has it to the second, and in UTC."""
    return "–" if at is None else _time(at, f"{timezone.localtime(at):%Y-%m-%d %H:%M}")


def _time(at: datetime, words: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exactly(at), words)
