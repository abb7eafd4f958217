"""The job viewer's navigation, as far as one may see it, and the addresses of its pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from procrastinate_tasks.actions.permissions import VIEW_JOBS
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.monitoring.panels import extra_pages


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
        covers=("queue_job", "queue_job_stack", "queue_confirm", "queue_result", "queue_act"),
    ),
    Entry(title=_("Alerts"), url_name="queue_alerts"),
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


@dataclass(frozen=True, slots=True)
class Links:
    """Builds addresses within one admin site."""

    site_name: str

    def to(self, page: str, **filters: str) -> str:
        """Return the address of ``queue_<page>``; empty filters are left out."""
        query = urlencode({name: value for name, value in filters.items() if value})
        address = reverse(f"admin:queue_{page}", current_app=self.site_name)
        return f"{address}?{query}" if query else address

    def to_confirm(
        self,
        action: Action,
        *,
        back: str,
        job_ids: Sequence[int] = (),
        target: Mapping[str, str] | None = None,
    ) -> str:
        """Return the page that shows what an action would come to.

        Args:
            target: ``queue`` or ``schedule`` with its name, and what the form starts from.
        """
        query = [
            ("action", action.value),
            *(("job", str(job_id)) for job_id in job_ids),
            *(target or {}).items(),
            ("next", back),
        ]
        return f"{reverse('admin:queue_confirm', current_app=self.site_name)}?{urlencode(query)}"

    def named(self, url_name: str, **filters: str) -> str:
        """Return the address of any page without arguments, such as ``admin:queue_workers``."""
        address = reverse(url_name, current_app=self.site_name)
        return f"{address}?{urlencode(filters)}" if filters else address

    def to_job(self, job_id: int) -> str:
        return reverse("admin:queue_job", args=[job_id], current_app=self.site_name)
