"""What a guest owes and nothing is there to collect it by: a refund that somebody else made has left it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from bookings.models import Booking, BookingStatus
from payments import billing
from payments.exceptions import DebtChanged
from payments.ledger import locking
from payments.models import BookingAccount, Payment
from payments.policies import PaymentStatus

_PAID = F("captured_minor") - F("refunding_minor") - F("refunded_minor") - F("lost_minor")


def find_uncollected() -> QuerySet[Any]:
    """Return the accounts that owe more than all payments still to be made, as ``uncollected_minor``.

    While a cancellation is being settled nobody knows yet what will be owed.
    """
    to_be_paid = (
        Payment.objects.filter(booking=OuterRef("booking"))
        .exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
        .order_by()
        .values("booking")
        .annotate(minor=Sum("amount_minor"))
    )
    return (
        BookingAccount.objects.filter(owed_minor__gt=_PAID)
        .exclude(booking__status__in=(BookingStatus.PENDING, BookingStatus.EXPIRED))
        .exclude(booking__cancel_requested_at__isnull=False, booking__cancelled_at=None)
        .annotate(
            uncollected_minor=F("owed_minor") - _PAID - Coalesce(Subquery(to_be_paid.values("minor")), 0)
        )
        .filter(uncollected_minor__gt=0)
    )


def sum_uncollected() -> dict[str, int]:
    """Return how many accounts owe so, as ``count``, and what they come to, as ``minor``."""
    return find_uncollected().aggregate(count=Count("pk"), minor=Coalesce(Sum("uncollected_minor"), 0))


def find_debt(booking: Booking) -> int:
    """Return what is owed beside every payment that is still to be made, in centavos."""
    found = find_uncollected().filter(booking=booking).values_list("uncollected_minor", flat=True)
    return int(found.first() or 0)


def waive_debt(*, booking_id: int, debt_minor: int, now: datetime) -> None:
    """Let a debt go that nothing is there to collect.

    Args:
        debt_minor: how much it is, for whoever lets it go.

    Raises:
        DebtChanged: it is another sum by now, or nothing.
    """
    with locking.locked_booking(booking_id) as booking:
        debt = find_debt(booking)
        if not debt or debt != debt_minor:
            raise DebtChanged
        billing.waive(booking=booking, amount_minor=debt, now=now)
        if booking.status != BookingStatus.CANCELLED:
            locking.settle_if_nothing_is_due(booking=booking, now=now)
