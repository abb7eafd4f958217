"""Photos of homes, as browsers and caches may keep them for ever."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from bookings.models import PhotoVariant

_A_YEAR = 365 * 24 * 3600


def _tag(request: HttpRequest, public_id: uuid.UUID, width: int) -> str:
    return f'"{public_id}-{width}"'


@require_safe
@cache_control(public=True, max_age=_A_YEAR, immutable=True)
@condition(etag_func=_tag)
def show_photo(request: HttpRequest, public_id: uuid.UUID, width: int) -> HttpResponse:
    """Answer a variant; its address names one picture for ever, and cannot be guessed."""
    variants = PhotoVariant.objects.filter(photo__public_id=public_id, width=width)
    webp = variants.values_list("webp", flat=True).first()
    if webp is None:
        raise Http404
    return HttpResponse(bytes(webp), content_type="image/webp")
