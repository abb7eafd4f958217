"""Addresses of the viewer's pages, with their filters."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Links:
    """Builds addresses within one admin site."""

    site_name: str

    def to(self, page: str, **filters: str) -> str:
        """Return the address of ``queue_<page>``; empty filters are left out."""
        query = urlencode({name: value for name, value in filters.items() if value})
        address = reverse(f"admin:queue_{page}", current_app=self.site_name)
        return f"{address}?{query}" if query else address

    def to_job(self, job_id: int) -> str:
        return reverse("admin:queue_job", args=[job_id], current_app=self.site_name)
