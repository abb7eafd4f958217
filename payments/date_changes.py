"""A guest moves a stay: nights, price, balance and its charge change in one transaction, or not at all.

Changes that cost no more are applied at once: the balance is not paid and the price goes down or stays
(case B), or everything is paid and the price stays (case C3). The others need money to move first.
"""

from __future__ import annotations

from datetime import date, datetime

from bookings import services as bookings
from bookings.models import Booking, Quote
from payments import billing, due_charges
from payments.exceptions import ChangeNeedsPayment, PaymentUnderWay
from payments.ledger import refunds, rows
from payments.models import BookingAccount, Payment, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind, PaymentStatus


def change_dates(*, booking: Booking, check_in: date, check_out: date, base_url: str, now: datetime) -> Quote:
    """Move a confirmed stay.

    Raises:
        ChangeRefused: the booking is not confirmed, or nights already slept would move.
        StayRefused: the new nights break a rule or belong to somebody else.
        ChangeNeedsPayment: the new dates cost more, or less than what was paid in full.
        PaymentUnderWay: money for this booking is moving at this moment.
    """
    with rows.locked_booking(booking.pk) as locked:
        if PaymentAttempt.objects.filter(payment__booking=locked, state__in=list(LIVE_STATES)).exists():
            raise PaymentUnderWay
        balance = locked.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID).first()
        old_quote = locked.quote
        new_quote = bookings.change_nights(booking=locked, check_in=check_in, check_out=check_out, now=now)
        _check_price(balance, old_quote, new_quote)
        if new_quote.total_minor != old_quote.total_minor:
            _reprice(locked, balance, old_quote, now)
        _move_charge(locked, base_url=base_url)
        rows.settle_if_nothing_is_due(booking=locked, now=now)
    return new_quote


def _check_price(balance: Payment | None, old_quote: Quote, new_quote: Quote) -> None:
    if new_quote.total_minor == old_quote.total_minor:
        return
    is_paid = balance is None or balance.status == PaymentStatus.PAID
    if is_paid or new_quote.total_minor > old_quote.total_minor:
        raise ChangeNeedsPayment


def _reprice(booking: Booking, balance: Payment | None, old_quote: Quote, now: datetime) -> None:
    """Bill the new before crediting the old, and refund before owing less: the bounds hold throughout."""
    paid = BookingAccount.objects.get(booking=booking).paid_minor
    total = booking.quote.total_minor
    if balance is not None:
        rows.void_payment(payment=balance)
    if paid > total:
        refunds.request_refund(booking=booking, amount_minor=paid - total, reason="change of dates", now=now)
    billing.bill_quote(booking=booking, quote=booking.quote, now=now)
    billing.credit_quote(booking=booking, quote=old_quote, now=now)
    if total > paid:
        billing.open_obligation(booking=booking, kind=PaymentKind.BALANCE, amount_minor=total - paid, now=now)


def _move_charge(booking: Booking, *, base_url: str) -> None:
    unpaid = booking.payments.filter(kind=PaymentKind.BALANCE).exclude(
        status__in=(PaymentStatus.PAID, PaymentStatus.VOID)
    )
    if unpaid.exists():
        due_charges.move(booking=booking, base_url=base_url)
    else:
        due_charges.unschedule(booking=booking)
