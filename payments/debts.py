"""Who owes what: every payment that is due and not paid, whatever comes next."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When

from bookings.models import BookingStatus
from payments.models import Debt, Dispute
from payments.policies import HARMLESS_DISPUTES, PaymentKind, PaymentStatus

# By which the list of debts shows those alone that somebody has to be told of.
IS_OVERDUE_PARAMETER = "overdue"

_OF_A_STAY = Q(
    kind=PaymentKind.BALANCE,  # What other dates cost is owed by nobody who does not want them.
    booking__status__in=(BookingStatus.CONFIRMED, BookingStatus.COMPLETED),
    booking__cancel_requested_at=None,
)
_OF_A_CANCELLATION = Q(kind=PaymentKind.FEE, booking__status=BookingStatus.CANCELLED)


def find_debts(*, now: datetime, age: timedelta = timedelta(0)) -> QuerySet[Debt]:
    """Return what is due and not paid, each with ``owed_since`` and ``is_disputed``.

    Args:
        age: leave out what is due for a shorter time.
    """
    disputes = Dispute.objects.filter(attempt__payment__booking=OuterRef("booking"))
    return (
        Debt.objects.filter(_OF_A_STAY | _OF_A_CANCELLATION)
        .exclude(status__in=(PaymentStatus.PAID, PaymentStatus.VOID))
        .annotate(
            owed_since=Case(
                When(kind=PaymentKind.BALANCE, then=F("booking__balance_due_at")), default=F("created_at")
            ),
            is_disputed=Exists(disputes.exclude(status__in=HARMLESS_DISPUTES)),
        )
        .filter(owed_since__lte=now - age)
    )


def find_overdue(*, now: datetime) -> QuerySet[Debt]:
    """Return the debts that are older than it takes to be told of them, however few they are."""
    return find_debts(now=now, age=settings.PAYMENTS_ALERT_OVERDUE_AFTER)


def is_overdue(owed_since: datetime | None, *, now: datetime) -> bool:
    return owed_since is not None and owed_since <= now - settings.PAYMENTS_ALERT_OVERDUE_AFTER
