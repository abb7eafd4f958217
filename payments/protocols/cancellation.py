"""Settle a cancelled booking: close what may still take money, then pay back or bill by the house rules."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from bookings import services as bookings
from bookings.models import Booking, BookingStatus
from payments import billing, driver
from payments.billing import cancellation_cost
from payments.deferred_jobs import charge_now, request_email
from payments.exceptions import SettlementWaits
from payments.gateway import Gateway
from payments.ledger import changes, locking, refunds
from payments.models import BookingAccount, GuestEmail, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind, PaymentStatus


def settle_cancellation(
    *, booking_id: int, base_url: str, gateway: Gateway, now: datetime
) -> BookingStatus | None:
    """End a booking whose cancellation was asked for. Returns its status, ``None`` when there is none.

    Raises:
        SettlementWaits: an attempt is still under way; run it again.
    """
    for attempt in _live_attempts(booking_id).select_related("payment__booking__quote__home"):
        driver.close(attempt=attempt, gateway=gateway, now=now)
    try:
        with locking.locked_booking(booking_id) as booking:
            return _settle(booking, base_url=base_url, now=now)
    except Booking.DoesNotExist:
        return None


def _settle(booking: Booking, *, base_url: str, now: datetime) -> BookingStatus:
    status = BookingStatus(booking.status)
    if booking.cancel_requested_at is None or status not in (BookingStatus.PENDING, BookingStatus.CONFIRMED):
        return status
    if _live_attempts(booking.pk).exists():
        raise SettlementWaits(booking_id=booking.pk)
    changes.abandon_open(booking=booking, proof="cancelled before it was paid", now=now)
    account = BookingAccount.objects.filter(booking=booking).first()
    if account is not None:
        _settle_account(booking, account, base_url, now)
    bookings.cancel_booking(booking=booking, proof="cancelled, nothing can take money", now=now)
    request_email(kind=GuestEmail.Kind.CANCELLED, booking=booking, base_url=base_url, now=now)
    return BookingStatus.CANCELLED


def _settle_account(booking: Booking, account: BookingAccount, base_url: str, now: datetime) -> None:
    paid = max(account.paid_minor, 0)
    asked_at = booking.cancel_requested_at or now
    kept = cancellation_cost(booking, paid_minor=paid, asked_at=asked_at).kept_minor
    for payment in booking.payments.exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID)):
        locking.void_payment(payment=payment)
    if kept < paid:
        refunds.request_refund(booking=booking, amount_minor=paid - kept, reason="cancellation", now=now)
    _bill(booking, account, kept, paid, now)
    billing.credit_quote(booking=booking, quote=booking.quote, now=now)
    if kept > paid:
        fee = billing.open_obligation(
            booking=booking, kind=PaymentKind.FEE, amount_minor=kept - paid, now=now
        )
        charge_now(payment=fee, base_url=base_url)


def _bill(booking: Booking, account: BookingAccount, kept: int, paid: int, now: datetime) -> None:
    """Owe what is kept, less what earlier changes have billed; what was waived too, if it was paid."""
    already = billing.kept_of_nights_given_up(booking)
    owed = account.owed_minor - booking.quote.total_minor + kept - already
    amount = kept - already + max(min(paid, kept) - owed, 0)
    if amount > 0:
        billing.bill_cancellation(booking=booking, amount_minor=amount, now=now)
    elif amount < 0:
        billing.waive(booking=booking, amount_minor=-amount, now=now)


def _live_attempts(booking_id: int) -> QuerySet[PaymentAttempt]:
    return PaymentAttempt.objects.filter(payment__booking_id=booking_id, state__in=list(LIVE_STATES))
