"""Admin pages that show and never change: what they show is written by the site itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MOST_COUNTED = 10_000
NOTHING = "–"


class ReadOnly:
    """Mix into a ``ModelAdmin`` or an inline: nobody adds, changes or deletes, superusers included."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts, and pages through, the first ten thousand rows only; filters and searches reach the rest."""

    @cached_property
    def count(self) -> int:
        return cast("QuerySet[Model]", self.object_list)[:MOST_COUNTED].count()


class OfficeList:
    """Mix into a ``ModelAdmin``: its list stays fast however long it is, and can be read on a telephone."""

    list_per_page = 50
    show_full_result_count = False
    paginator: Any = CappedPaginator

    class Media:
        css = {"all": ("bookings/office.css",)}  # noqa: RUF012 - Django's own form

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Show the whole list to who filters by what Postgres refuses as text."""
        if any("\x00" in value for value in request.GET.values()):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)  # type: ignore[misc]


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


def instant(field: str, description: StrOrPromise) -> Callable[[Any, Any], SafeString | str]:
    """Return a method of an admin page that shows when something was, in local time and in UTC."""

    @admin.display(description=description, ordering=field)
    def show(self: Any, row: Any) -> SafeString | str:
        at = getattr(row, field)
        return write_instant(at) if at is not None else NOTHING

    return show


def write_instant(at: datetime) -> SafeString:
    """Return an instant in local time, without this year; its title has the zone, and UTC."""
    local = timezone.localtime(at)
    whole = pgettext("format of a moment, see Django's date filter", "M j, Y, g:i A")
    short = pgettext("format of a moment of this year, see Django's date filter", "M j, g:i A")
    words = {
        "local": formats.date_format(local, whole),
        "zone": timezone.get_current_timezone_name(),
        "utc": formats.date_format(at.astimezone(UTC), whole),
    }
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        _("%(local)s (%(zone)s) · %(utc)s UTC") % words,
        formats.date_format(local, short if local.year == timezone.localtime().year else whole),
    )
