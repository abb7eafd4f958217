"""Send a guest the link to their bookings: only to an address that has some, and not without end."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives
from django.utils import translation

from bookings.models import Booking
from payments.letters import access_letter, render_letter
from payments.models import AccessLink

# To one address, so that nobody's mailbox is filled by others.
MOST_LINKS = 3
_WITHIN = timedelta(hours=1)
# What was asked for says who reads this site: it is not kept.
_KEPT_FOR = timedelta(days=1)


def send_access_link(*, link_id: int, now: datetime) -> str:
    """Send a link that was asked for.

    Returns:
        ``sent``, ``already_sent``, ``not_found``; ``dropped`` when it is over, when there are no bookings of
        the address, or when it was written to often enough.

    Raises:
        OSError: the mail server cannot be reached; run it again.
    """
    AccessLink.objects.filter(created_at__lt=now - _KEPT_FOR).delete()
    link = AccessLink.objects.filter(pk=link_id).first()
    if link is None:
        return "not_found"
    if link.sent_at is not None:
        return "already_sent"
    if link.dropped_at is not None or link.expires_at <= now or not _may_be_sent(link, now):
        AccessLink.objects.filter(pk=link.pk, dropped_at=None).update(dropped_at=now)
        return "dropped"
    _make(link).send()
    AccessLink.objects.filter(pk=link.pk).update(sent_at=now)
    return "sent"


def _may_be_sent(link: AccessLink, now: datetime) -> bool:
    sent = AccessLink.objects.filter(email__iexact=link.email, sent_at__gt=now - _WITHIN)
    is_known = Booking.objects.filter(guest_email__iexact=link.email).exists()
    return is_known and sent.count() < MOST_LINKS


def _make(link: AccessLink) -> EmailMultiAlternatives:
    address = link.base_url.rstrip("/") + link.get_absolute_url()
    with translation.override(link.language):
        letter = render_letter(access_letter(), name="", link=address)
    message = EmailMultiAlternatives(subject=letter.subject, body=letter.text, to=[link.email])
    message.attach_alternative(letter.html, "text/html")
    return message
