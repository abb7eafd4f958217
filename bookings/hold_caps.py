"""Nobody holds everything: unpaid holds are counted by visitor, by visitor and home, and by e-mail address.

Counted in the transaction of the hold, by whom queue one after the other. There is no cap on a home alone: it
would let strangers close a home with holds of one night each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from bookings import policies
from bookings.exceptions import TooManyHolds
from bookings.models import Booking, BookingStatus, Property
from bookings.policies import HoldCap

_A_DAY = timedelta(days=1)
# The first key of the advisory locks that queue the holds of one visitor and of one e-mail address.
_LOCK_SPACE = 7_302
_QUEUE = "SELECT pg_advisory_xact_lock(%s, hashtext(name)) FROM unnest(%s::text[]) AS name"


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
    of_visitor, of_address = Q(held_by=held_by), Q(guest_email__iexact=email) & ~Q(held_by="")
    unpaid = Booking.objects.filter(of_visitor | of_address, confirmed_at=None, created_at__gt=now - _A_DAY)
    # No more rows than the caps of a day leave room for.
    holds = list(unpaid.annotate(is_of_address=of_address).select_related("quote"))
    by_visitor = [hold for hold in holds if hold.held_by == held_by]
    at_home = [hold for hold in by_visitor if hold.quote.home_id == home.pk]
    by_address = [hold for hold in holds if hold.is_of_address]
    _require(by_visitor, policies.VISITOR_CAP, nights=nights, now=now)
    _require(at_home, policies.VISITOR_AT_HOME_CAP, nights=nights, now=now)
    _require(by_address, policies.EMAIL_CAP, nights=nights, now=now)


def _require(holds: Sequence[Booking], cap: HoldCap, *, nights: int, now: datetime) -> None:
    standing = [hold.quote.night_count for hold in holds if _stands(hold, now)]
    if policies.exceeds(cap, standing=standing, made_today=len(holds), nights=nights):
        raise TooManyHolds(is_holding=bool(standing))


def _stands(hold: Booking, now: datetime) -> bool:
    return hold.status == BookingStatus.PENDING and (hold.checkout_open or hold.hold_expires_at > now)


def _queue_for(*names: str) -> None:
    """Let the holds of one visitor, or address, pass one at a time: two at once would each see room.

    The locks are taken in the order of the names, so that two visitors never wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, (_LOCK_SPACE, sorted(names)))
