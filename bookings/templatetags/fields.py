"""Draws the fields of guests' forms: as a template, six of them cost more than the rest of a home's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from django import template
from django.forms import BaseForm, BoundField
from django.forms.utils import ErrorList
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()


@register.simple_tag
def field(bound: BoundField) -> SafeString:
    """Return a field with its label, its help and what is wrong with it."""
    errors, name = bound.errors, conditional_escape(bound.id_for_label)
    wrong = " field-wrong" if errors else ""
    label = f'<label for="{name}">{conditional_escape(bound.label)}</label>'
    return SafeString(
        f'<div class="field{wrong}">{label}{bound}{_help(bound, name)}{_wrong(errors, name)}</div>'
    )


@register.simple_tag
def fields(form: BaseForm, *names: str) -> SafeString:
    """Return some fields of a form; those that nobody has filled in are drawn once a language."""
    if form.is_bound or form.initial:
        return _draw(form, names)
    kind: Callable[..., BaseForm] = type(form)
    return _draw_empty(kind, form.auto_id, names, get_language())


@lru_cache(maxsize=50)
def _draw_empty(
    kind: Callable[..., BaseForm], auto_id: bool | str, names: tuple[str, ...], language: str | None
) -> SafeString:
    return _draw(kind(auto_id=auto_id), names)


def _draw(form: BaseForm, names: Iterable[str]) -> SafeString:
    return SafeString("".join(field(form[name]) for name in names))


def _help(bound: BoundField, name: str) -> str:
    if not bound.help_text:
        return ""
    return f'<p class="help" id="{name}_helptext">{conditional_escape(bound.help_text)}</p>'


def _wrong(errors: ErrorList, name: str) -> str:
    if not errors:
        return ""
    words = " ".join(conditional_escape(str(each)) for each in errors)
    return f'<p class="wrong" id="{name}_error">{words}</p>'
