"""What every page of the site shows."""

from __future__ import annotations

from email.utils import parseaddr

from django.conf import settings
from django.http import HttpRequest

from reyes_estancias.error_pages import folio_of


def describe_site(request: HttpRequest) -> dict[str, object]:
    """Return who lets the homes, the address guests write to and the languages they can choose."""
    return {
        "contact_email": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "company": settings.COMPANY,
        "languages": settings.LANGUAGES,
        "folio": folio_of(request),
    }
