"""The money of a change of dates: billed before it is paid, applied with its payment, or taken back.

Call everything with the booking locked. Bills come before credits, and refunds before less is owed: the
bounds of the account hold throughout.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from bookings import date_changes
from bookings import policies as house
from bookings import services as bookings
from bookings.exceptions import HoldExpired
from bookings.models import Booking, DateChange, Quote
from payments import billing, policies
from payments.deferred_jobs import charge_now, end_change, move, request_email, unschedule
from payments.ledger import locking, refunds
from payments.models import BookingAccount, GuestEmail, Payment
from payments.policies import PaymentKind, PaymentStatus

_REASON = "change of dates"
_ENDED = (PaymentStatus.PAID, PaymentStatus.VOID)


def open_change(
    *, booking: Booking, change: DateChange, kind: PaymentKind, base_url: str, now: datetime
) -> Payment:
    """Bill what is to be paid before held dates apply, and have them given up at their hour.

    A top-up is paid on a page; the difference after the balance is asked of the saved card first.
    """
    billing.bill_change(booking=booking, change=change, now=now)
    payment = billing.open_obligation(booking=booking, kind=kind, amount_minor=change.charge_minor, now=now)
    if booking.settled_at is not None:
        bookings.unsettle_booking(booking=booking)
    if kind == PaymentKind.TOPUP:
        locking.set_status(payment, PaymentStatus.REQUIRES_ACTION)
    else:
        charge_now(payment=payment, base_url=base_url)
    end_change(change_id=change.pk, at=change.expires_at)
    return payment


def prolong(*, booking: Booking, until: datetime) -> None:
    """Hold other dates for as long as the page that was opened for them can be paid."""
    change = date_changes.find_open(booking)
    if change is not None:
        date_changes.prolong_change(change=change, until=until)


def require_time(*, booking: Booking, now: datetime) -> None:
    """Open no page for dates that are held no more.

    Raises:
        HoldExpired: their time has run out.
    """
    change = date_changes.find_open(booking)
    if change is None or change.expires_at <= now:
        raise HoldExpired


def conclude(*, payment: Payment, base_url: str, now: datetime) -> None:
    """Apply the dates that a payment was for; what came too late for them goes back."""
    booking = payment.booking
    change = date_changes.find_open(booking)
    if change is None or not locking.is_chargeable(booking, payment):
        refunds.request_refund(booking=booking, amount_minor=payment.amount_minor, reason=_REASON, now=now)
        return
    old_quote = booking.quote
    date_changes.apply_change(booking=booking, change=change, now=now)
    billing.bill_quote(booking=booking, quote=booking.quote, now=now)
    billing.credit_change(booking=booking, change=change, now=now)
    reprice(booking=booking, old_quote=old_quote, kept_minor=change.kept_minor, now=now)
    finish(booking=booking, old_quote=old_quote, base_url=base_url, now=now)


def abandon_open(*, booking: Booking, proof: str, now: datetime) -> bool:
    """Leave a stay as it was: what its open change was to cost is owed no more.

    Returns whether there was one. The database refuses while its payment may still take money.
    """
    change = date_changes.find_open(booking)
    if change is None:
        return False
    for payment in booking.payments.filter(kind__in=policies.SURCHARGES).exclude(status__in=_ENDED):
        locking.void_payment(payment=payment)
    billing.credit_change(booking=booking, change=change, now=now)
    date_changes.abandon_change(booking=booking, change=change, proof=proof, now=now)
    locking.settle_if_nothing_is_due(booking=booking, now=now)
    return True


def reprice(*, booking: Booking, old_quote: Quote, kept_minor: int, now: datetime) -> None:
    """Credit the old quote once the new one is billed; refund what is too much, and bill the rest anew."""
    billing.bill_nights_given_up(booking=booking, quote=booking.quote, amount_minor=kept_minor, now=now)
    _void_balance(booking)
    account = BookingAccount.objects.get(booking=booking)
    rest = account.owed_minor - old_quote.total_minor - account.paid_minor
    if rest < 0:
        refunds.request_refund(booking=booking, amount_minor=-rest, reason=_REASON, now=now)
    billing.credit_quote(booking=booking, quote=old_quote, now=now)
    if 0 < rest < house.LEAST_CHARGE_MINOR:
        billing.waive(booking=booking, amount_minor=rest, now=now)  # No card can be charged so little.
    elif rest > 0 and not _balances(booking).exists():
        billing.open_obligation(booking=booking, kind=PaymentKind.BALANCE, amount_minor=rest, now=now)


def finish(*, booking: Booking, old_quote: Quote, base_url: str, now: datetime) -> None:
    """Move the charge of the balance to its new day, and tell the guest of their new dates."""
    if _balances(booking).exclude(status=PaymentStatus.PAID).exists():
        move(booking=booking, base_url=base_url)
    else:
        unschedule(booking=booking)
    locking.settle_if_nothing_is_due(booking=booking, now=now)
    request_email(
        kind=GuestEmail.Kind.CHANGED,
        booking=booking,
        base_url=base_url,
        now=now,
        version=booking.changes.count(),
        replaced=old_quote,
    )


def _void_balance(booking: Booking) -> None:
    for payment in _balances(booking).exclude(status=PaymentStatus.PAID):
        locking.void_payment(payment=payment)


def _balances(booking: Booking) -> QuerySet[Payment]:
    return booking.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID)
