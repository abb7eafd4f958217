"""What a guest owes and nothing is there to collect it by: a refund that somebody else made has left it."""

from __future__ import annotations

from datetime import datetime

from bookings.models import Booking, BookingStatus
from payments import billing
from payments.exceptions import NothingToPay
from payments.ledger import locking
from payments.models import BookingAccount
from payments.policies import PaymentStatus


def find_debt(booking: Booking) -> int:
    """Return what is owed beside every payment that is still to be made, in centavos."""
    account = BookingAccount.objects.filter(booking=booking).first()
    if account is None or booking.status in (BookingStatus.PENDING, BookingStatus.EXPIRED):
        return 0
    to_be_paid = booking.payments.exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
    return max(account.due_minor - sum(to_be_paid.values_list("amount_minor", flat=True)), 0)


def waive_debt(*, booking_id: int, now: datetime) -> int:
    """Let a debt go that nothing is there to collect. Returns how much it was.

    Raises:
        NothingToPay: there is none.
    """
    with locking.locked_booking(booking_id) as booking:
        debt = find_debt(booking)
        if not debt or (booking.cancel_requested_at is not None and booking.cancelled_at is None):
            raise NothingToPay
        billing.waive(booking=booking, amount_minor=debt, now=now)
        if booking.status != BookingStatus.CANCELLED:
            locking.settle_if_nothing_is_due(booking=booking, now=now)
        return debt
