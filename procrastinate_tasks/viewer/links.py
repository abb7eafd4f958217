"""Addresses of the viewer's pages, with their filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from procrastinate_tasks.action_policies import Action


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

    def named(self, url_name: str) -> str:
        """Return the address of any page without arguments, such as ``admin:queue_workers``."""
        return reverse(url_name, current_app=self.site_name)

    def to_job(self, job_id: int) -> str:
        return reverse("admin:queue_job", args=[job_id], current_app=self.site_name)
