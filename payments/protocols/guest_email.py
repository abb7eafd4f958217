"""Send an e-mail to a guest, once."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from payments.models import GuestEmail


def send_guest_email(*, email_id: int, now: datetime) -> str:
    """Send what was asked for and not yet sent. Returns ``sent``, ``already_sent`` or ``not_found``.

    A worker that dies between the mail server's answer and ours sends it again, under the same Message-ID.

    Raises:
        OSError: the mail server cannot be reached; run it again.
    """
    email = GuestEmail.objects.select_related("booking__quote__home", "payment").filter(pk=email_id).first()
    if email is None:
        return "not_found"
    if email.sent_at is not None:
        return "already_sent"
    _render(email).send()
    GuestEmail.objects.filter(pk=email.pk).update(sent_at=now)
    return "sent"


def _render(email: GuestEmail) -> EmailMessage:
    booking = email.booking
    context = {
        "booking": booking,
        "payment": email.payment,
        "link": email.base_url.rstrip("/") + booking.get_absolute_url(),
    }
    with translation.override(settings.LANGUAGE_CODE):
        subject = render_to_string(f"payments/email/{email.kind}_subject.txt", context).strip()
        body = render_to_string(f"payments/email/{email.kind}.txt", context)
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    return EmailMessage(
        subject=subject,
        body=body,
        to=[booking.guest_email],
        headers={"Message-ID": f"<{email.kind}.{email.pk}.{booking.public_id}@{domain}>"},
    )
