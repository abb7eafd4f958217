"""Filters that tell numbers, durations and times in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from procrastinate_tasks import presentation
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
    """Tell a local time; UTC is the tooltip."""
    return "–" if at is None else _time(at, date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT"))


def _time(at: datetime, words: str) -> SafeString:
    local = date_format(timezone.localtime(at), "DATETIME_FORMAT")
    tooltip = f"{local} · {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), tooltip, words)
