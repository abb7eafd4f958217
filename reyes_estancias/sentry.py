"""Reports errors to Sentry, without what guests wrote and without the links that open their bookings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from reyes_estancias.access_log import mask_path

try:
    import sentry_sdk
except ImportError:
    _IS_INSTALLED = False
else:
    _IS_INSTALLED = True

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


def start_sentry(*, dsn: str, release: str, **options: Any) -> None:
    """Report errors from now on, in this process and its forks.

    Raises:
        ImproperlyConfigured: the package is not installed.
    """
    if not _IS_INSTALLED:
        raise ImproperlyConfigured(
            "SENTRY_DSN is set, and sentry-sdk is not installed: pip install sentry-sdk."
        )
    sentry_sdk.init(
        dsn=dsn,
        release=release or None,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=without_private_data,
        before_breadcrumb=lambda crumb, hint: crumb if crumb.get("category") != "query" else None,
        **options,
    )


def without_private_data(event: Event, hint: Hint) -> Event:
    """Take the query, the headers and unguessable links out of a request."""
    request = event.get("request")
    if request is not None:
        event["request"] = {
            "method": request.get("method"),
            "url": mask_path(str(request.get("url", ""))),
        }
    return event
