"""Admin pages that show and never change: what they show is written by the site itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class ReadOnly:
    """Mix into a ``ModelAdmin`` or an inline: nobody adds, changes or deletes, superusers included."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def link_to(target: Model) -> SafeString:
    """Return a link to the admin page of a row."""
    meta = target._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk])
    return format_html('<a href="{}">{}</a>', address, target)


def column(field: str, description: StrOrPromise) -> Callable[[Any, Any], object]:
    """Return a method of an admin page that shows a field under a name of its own."""

    @admin.display(description=description, ordering=field)
    def show(self: Any, row: Any) -> object:
        return getattr(row, field)

    return show
