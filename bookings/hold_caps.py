"""Nobody holds everything: unpaid holds are counted by visitor, by visitor and home, and by e-mail address.

Counted in the transaction of the hold, by whom queue one after the other. There is no cap on a home alone: it
would let strangers close a home with holds of one night each.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet

from bookings import policies
from bookings.exceptions import TooManyHolds
from bookings.models import Booking, BookingStatus, Property
from bookings.policies import HoldCap

_A_DAY = timedelta(days=1)
# The first key of the advisory locks that queue the holds of one visitor and of one e-mail address.
_LOCK_SPACE = 7_302


def require_room(*, home: Property, nights: int, held_by: str, email: str, now: datetime) -> None:
    """Refuse a hold of somebody who holds too much already; call it before the property's lock is taken.

    Args:
        held_by: empty when no visitor asks; then nothing is counted.

    Raises:
        TooManyHolds: of this visitor or e-mail address, now or within a day.
    """
    if not held_by:
        return
    _queue_for(f"visitor:{held_by}", f"email:{email.lower()}")
    unpaid = Booking.objects.filter(confirmed_at=None, created_at__gt=now - _A_DAY)
    by_visitor = unpaid.filter(held_by=held_by)
    by_email = unpaid.filter(guest_email__iexact=email).exclude(held_by="")
    for holds, cap in (
        (by_visitor, policies.VISITOR_CAP),
        (by_visitor.filter(quote__home=home), policies.VISITOR_AT_HOME_CAP),
        (by_email, policies.EMAIL_CAP),
    ):
        _require(holds, cap, nights=nights, now=now)


def _require(holds: QuerySet[Booking], cap: HoldCap, *, nights: int, now: datetime) -> None:
    stands = Q(status=BookingStatus.PENDING) & (Q(checkout_open=True) | Q(hold_expires_at__gt=now))
    standing = [
        (held.upper - held.lower).days
        for held in holds.filter(stands).values_list("quote__nights", flat=True)[: cap.at_once]
    ]
    if policies.exceeds(cap, standing=standing, made_today=holds.count(), nights=nights):
        raise TooManyHolds(is_holding=bool(standing))


def _queue_for(*names: str) -> None:
    """Let the holds of one visitor, or address, pass one at a time: two at once would each see room."""
    with connection.cursor() as cursor:
        for name in sorted(names):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_SPACE, name))
