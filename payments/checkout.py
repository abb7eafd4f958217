"""A guest pays on a page of Stripe's: the obligation and the attempt are stored before the page exists."""

from __future__ import annotations

from datetime import datetime

from bookings.models import Booking, BookingStatus
from payments import attempts, billing
from payments.exceptions import NothingToPay
from payments.gateway import Gateway
from payments.ledger import claims, rows
from payments.models import Payment
from payments.policies import LIVE_STATES, PaymentKind, PaymentStatus

_WAITING = (PaymentStatus.REQUIRES_ACTION, PaymentStatus.FAILED)


def open_checkout(*, booking: Booking, base_url: str, gateway: Gateway, now: datetime) -> str:
    """Return the address of the one payment page of what a booking owes now.

    Raises:
        NothingToPay: nothing waits for the guest.
        HoldExpired: the deposit came too late.
        PaymentUnderWay: the saved card is being charged.
        TransientFault: Stripe cannot be reached; the guest tries again and gets the same page.
    """
    payment = find_payable(booking=booking)
    if payment is None and booking.status == BookingStatus.PENDING:
        payment = _open_deposit(booking, now)
    if payment is None:
        raise NothingToPay
    attempt = claims.claim_checkout(payment_id=payment.pk, base_url=base_url, now=now)
    attempt = attempts.drive(attempt=attempt, gateway=gateway, now=now)
    if attempt.state not in LIVE_STATES:
        raise NothingToPay
    return attempt.session_url


def find_payable(*, booking: Booking) -> Payment | None:
    """Return the payment a guest can make now: an open deposit, or what the saved card did not pay."""
    payments = booking.payments.exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
    deposit = payments.filter(kind=PaymentKind.DEPOSIT).first()
    return deposit or payments.filter(status__in=_WAITING).order_by("pk").first()


def _open_deposit(booking: Booking, now: datetime) -> Payment:
    with rows.locked_booking(booking.pk) as locked:
        billing.open_account(booking=locked, now=now)
        existing = locked.payments.filter(kind=PaymentKind.DEPOSIT).first()
        return existing or billing.open_obligation(
            booking=locked, kind=PaymentKind.DEPOSIT, amount_minor=locked.quote.deposit_minor, now=now
        )
