"""Send an e-mail to a guest, once, and only while what it says is true.

The mail server may have been down for days: what was asked for then is read again before it goes out. Its
words are those of the day it was asked for.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from bookings.models import Booking, BookingStatus
from payments.ledger import locking
from payments.letters import read_facts, write_email
from payments.models import Dunning, GuestEmail, Payment
from payments.policies import PaymentStatus, RefundState
from payments.stay_calendar import write_stay

Kind = GuestEmail.Kind

_UNDER_WAY = (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
_WITH_CALENDAR = (Kind.CONFIRMED, Kind.CHANGED, Kind.CANCELLED)


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
    _make(email, now).send()
    GuestEmail.objects.filter(pk=email.pk).update(sent_at=now)
    return "sent"


def _is_over(email: GuestEmail, now: datetime) -> bool:
    """Tell whether what an e-mail says is true no more. A receipt and a cancellation stay true for good."""
    booking, payment, refund = email.booking, email.payment, email.refund
    match email.kind:
        case Kind.HOLD:
            return not _is_held(booking, now)
        case Kind.CONFIRMED | Kind.CHANGED:
            return not locking.is_chargeable(booking, None) or not _is_of_these_dates(email)
        case Kind.ARRIVAL:
            is_expected = locking.is_chargeable(booking, None) and _is_of_these_dates(email)
            return not is_expected or booking.departure_at <= now
        case Kind.BALANCE_SOON:
            return payment is None or not _is_still_to_come(booking, payment, email.version, now)
        case Kind.PAYMENT_LINK:
            is_paid = payment is None or payment.status in (PaymentStatus.PAID, PaymentStatus.VOID)
            return is_paid or not locking.is_chargeable(booking, payment) or _is_superseded(email)
        case Kind.REFUND_SENT:
            return refund is not None and refund.state != RefundState.SUCCEEDED
        case Kind.REFUND_FAILED:
            return refund is not None and refund.state != RefundState.FAILED
    return False


def _is_held(booking: Booking, now: datetime) -> bool:
    is_hold = booking.status == BookingStatus.PENDING and booking.cancel_requested_at is None
    return is_hold and (booking.checkout_open or booking.hold_expires_at > now)


def _is_of_these_dates(email: GuestEmail) -> bool:
    """Tell whether the stay is still the one that was told; what took its place is told by another."""
    facts, booking = read_facts(email), email.booking
    return (facts.arrival_at, facts.departure_at) == (booking.arrival_at, booking.departure_at)


def _is_still_to_come(booking: Booking, payment: Payment, day: int, now: datetime) -> bool:
    due_at = booking.balance_due_at
    is_untouched = payment.status == PaymentStatus.PENDING and locking.is_chargeable(booking, payment)
    return is_untouched and due_at.toordinal() == day and due_at > now


def _is_superseded(email: GuestEmail) -> bool:
    """Tell whether a later refusal has a link of its own: what this one says of the next try is over."""
    return Dunning.objects.filter(payment=email.payment, step__gt=email.version).exists()


def _may_be_over_soon(email: GuestEmail) -> bool:
    is_link = email.kind == Kind.PAYMENT_LINK
    return is_link and email.payment is not None and email.payment.status in _UNDER_WAY


def _make(email: GuestEmail, now: datetime) -> EmailMultiAlternatives:
    booking, letter = email.booking, write_email(email)
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        to=[booking.guest_email],
        headers={"Message-ID": f"<{email.kind}.{email.pk}.{booking.public_id}@{domain}>"},
    )
    message.attach_alternative(letter.html, "text/html")
    if email.kind in _WITH_CALENDAR and booking.confirmed_at is not None:
        facts = read_facts(email)
        is_cancelled = email.kind == Kind.CANCELLED
        content = write_stay(booking=booking, facts=facts, is_cancelled=is_cancelled, now=now)
        message.attach(f"{facts.folio}.ics", content.decode(), "text/calendar")
    return message
