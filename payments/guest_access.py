"""A guest without an account sees their bookings: by a link that is sent to their address and opened once.

Whether an address is known is found out by the worker alone: the answer to the form, and the time it takes,
are the same for every address.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.core.signing import BadSignature
from django.db import IntegrityError, transaction

from bookings.models import Booking
from payments.deferred_jobs import send_access_link
from payments.models import AccessLink, GuestVisit

LINK_LIFETIME = timedelta(minutes=30)
VISIT_LIFETIME = timedelta(hours=1)
# Whoever has booked more than this reads the newest.
MOST_BOOKINGS = 50


class AccessLinkOver(Exception):
    """A link that opens nothing: it was used, its time has run out, or it is none of ours."""


def request_link(*, email: str, language: str, base_url: str, now: datetime) -> None:
    """Have a link sent to an address, if there are bookings of it."""
    with transaction.atomic():
        link = AccessLink.objects.create(
            email=email,
            language=language,
            base_url=base_url,
            created_at=now,
            expires_at=now + LINK_LIFETIME,
        )
        send_access_link(link_id=link.pk)


def require_openable(*, token: str, now: datetime) -> AccessLink:
    """Return the link of a token that can be opened still.

    Raises:
        AccessLinkOver: it was opened, its time has run out, or there is no such link.
    """
    try:
        link = AccessLink.objects.get(public_id=AccessLink.public_id_from(token), expires_at__gt=now)
    except (BadSignature, ValueError, AccessLink.DoesNotExist) as error:
        raise AccessLinkOver from error
    if GuestVisit.objects.filter(link=link).exists():
        raise AccessLinkOver
    return link


def open_link(*, token: str, now: datetime) -> GuestVisit:
    """Begin the one visit of a link.

    Raises:
        AccessLinkOver: as above; of two who open it at once, the database lets one in.
    """
    link = require_openable(token=token, now=now)
    try:
        with transaction.atomic():
            return GuestVisit.objects.create(link=link, started_at=now, ends_at=now + VISIT_LIFETIME)
    except IntegrityError as error:
        raise AccessLinkOver from error


def find_visit(*, public_id: UUID, now: datetime) -> GuestVisit | None:
    """Return a visit that goes on."""
    visits = GuestVisit.objects.select_related("link")
    return visits.filter(public_id=public_id, ends_at__gt=now).first()


def end_visit(*, visit: GuestVisit, now: datetime) -> None:
    """Close the door behind a guest, in every tab."""
    GuestVisit.objects.filter(pk=visit.pk).update(ends_at=now)


def list_bookings(visit: GuestVisit) -> list[Booking]:
    """Return the bookings of a visit's address, the newest arrival first."""
    bookings = Booking.objects.filter(guest_email__iexact=visit.link.email)
    newest_first = bookings.select_related("quote__home").prefetch_related("payments")
    return list(newest_first.order_by("-arrival_at")[:MOST_BOOKINGS])
