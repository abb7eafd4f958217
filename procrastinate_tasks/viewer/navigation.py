"""The job viewer's navigation: its own pages and those a project adds, as far as one may see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from procrastinate_tasks.presentation import extra_pages

VIEW_JOBS = "procrastinate_tasks.view_job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A page of the navigation. ``covers`` are the names of pages that stand under it."""

    title: str | Promise
    url_name: str
    permission: str = VIEW_JOBS
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    title: str
    url: str
    is_current: bool


ENTRIES = (
    Entry(title=_("Dashboard"), url_name="queue_dashboard"),
    Entry(
        title=_("Jobs"),
        url_name="queue_jobs",
        covers=("queue_job", "queue_confirm", "queue_result", "queue_act"),
    ),
    Entry(title=_("Failures"), url_name="queue_failures"),
    Entry(title=_("Queues"), url_name="queue_queues"),
    Entry(title=_("Workers"), url_name="queue_workers"),
    Entry(title=pgettext_lazy("navigation", "Schedule"), url_name="queue_schedule"),
    Entry(title=_("Bulk operations"), url_name="queue_bulk", covers=("queue_bulk_new", "queue_bulk_detail")),
    Entry(title=_("Audit log"), url_name="queue_audit"),
    Entry(title=_("System"), url_name="queue_system"),
)


def navigation(request: HttpRequest, *, site_name: str) -> tuple[Link, ...]:
    """Return the pages that this user may open."""
    here = request.resolver_match.view_name if request.resolver_match else ""
    return tuple(
        Link(
            title=str(entry.title),
            url=_address(entry.url_name, site_name=site_name),
            is_current=here in {_in_admin(name) for name in (entry.url_name, *entry.covers)},
        )
        for entry in (*ENTRIES, *_pages_of_the_project())
        if request.user.has_perm(entry.permission)
    )


def _pages_of_the_project() -> Iterator[Entry]:
    for page in extra_pages():
        yield Entry(title=page.title, url_name=page.url_name, permission=page.permission)


def _in_admin(url_name: str) -> str:
    return url_name if ":" in url_name else f"admin:{url_name}"


def _address(url_name: str, *, site_name: str) -> str:
    return reverse(_in_admin(url_name), current_app=site_name)
