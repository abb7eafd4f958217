"""Send an e-mail to a guest, once, and only while what it says is true.

The mail server may have been down for days: what was asked for then is read again before it goes out.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation

from bookings.models import Booking
from payments.ledger import dunning, locking
from payments.models import Dunning, GuestEmail, Payment
from payments.policies import PaymentStatus

_UNDER_WAY = (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)


def send_guest_email(*, email_id: int, now: datetime) -> str:
    """Send what was asked for and not yet sent.

    Returns:
        ``sent``, ``already_sent``, ``not_found``; ``dropped`` when it is not true any more, ``waits`` while
        money is under way that may make it so.

    A worker that dies between the mail server's answer and ours sends it again, under the same Message-ID.

    Raises:
        OSError: the mail server cannot be reached; run it again.
    """
    email = (
        GuestEmail.objects.select_related("booking__quote__home", "payment", "refund")
        .filter(pk=email_id)
        .first()
    )
    if email is None:
        return "not_found"
    if email.sent_at is not None:
        return "already_sent"
    if email.dropped_at is not None or _is_over(email, now):
        GuestEmail.objects.filter(pk=email.pk, dropped_at=None).update(dropped_at=now)
        return "dropped"
    if _may_be_over_soon(email):
        return "waits"
    _render(email).send()
    GuestEmail.objects.filter(pk=email.pk).update(sent_at=now)
    return "sent"


def _is_over(email: GuestEmail, now: datetime) -> bool:
    """Tell whether what an e-mail says is true no more. A receipt and a cancellation stay true for good."""
    booking, payment = email.booking, email.payment
    match email.kind:
        case GuestEmail.Kind.CONFIRMED:
            return not locking.is_chargeable(booking, None)
        case GuestEmail.Kind.BALANCE_SOON:
            return payment is None or not _is_still_to_come(booking, payment, email.version, now)
        case GuestEmail.Kind.PAYMENT_LINK:
            is_paid = payment is None or payment.status in (PaymentStatus.PAID, PaymentStatus.VOID)
            return is_paid or not locking.is_chargeable(booking, payment) or _is_superseded(email)
    return False


def _is_still_to_come(booking: Booking, payment: Payment, day: int, now: datetime) -> bool:
    due_at = booking.balance_due_at
    is_untouched = payment.status == PaymentStatus.PENDING and locking.is_chargeable(booking, payment)
    return is_untouched and due_at.toordinal() == day and due_at > now


def _is_superseded(email: GuestEmail) -> bool:
    """Tell whether a later refusal has a link of its own: what this one says of the next try is over."""
    return Dunning.objects.filter(payment=email.payment, step__gt=email.version).exists()


def _may_be_over_soon(email: GuestEmail) -> bool:
    is_link = email.kind == GuestEmail.Kind.PAYMENT_LINK
    return is_link and email.payment is not None and email.payment.status in _UNDER_WAY


def _render(email: GuestEmail) -> EmailMessage:
    booking = email.booking
    context = {
        "booking": booking,
        "payment": email.payment,
        "refund": email.refund,
        "next_try": dunning.find_next_try(email.payment) if email.payment else None,
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
