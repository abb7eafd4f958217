"""End a change of dates that nobody paid for: its page is closed first, then the stay is as it was."""

from __future__ import annotations

from datetime import datetime

from bookings.models import DateChange
from payments import driver
from payments.deferred_jobs import end_change
from payments.exceptions import SettlementWaits
from payments.gateway import Gateway
from payments.ledger import changes, locking
from payments.models import PaymentAttempt
from payments.policies import LIVE_STATES, SURCHARGES


def end_unpaid_change(*, change_id: int, gateway: Gateway, now: datetime) -> str:
    """Give up a change whose hour is over. Returns its state, or ``not_found``.

    Raises:
        SettlementWaits: its money is still under way; run it again.
    """
    change = DateChange.objects.filter(pk=change_id).first()
    if change is None:
        return "not_found"
    if change.state == DateChange.State.OPEN and change.expires_at <= now:
        _close(change, gateway, now)
        _give_up(change, now)
    elif change.state == DateChange.State.OPEN:
        end_change(change_id=change.pk, at=change.expires_at)
    change.refresh_from_db()
    return change.state


def _close(change: DateChange, gateway: Gateway, now: datetime) -> None:
    live = PaymentAttempt.objects.filter(
        payment__booking=change.booking_id, payment__kind__in=SURCHARGES, state__in=list(LIVE_STATES)
    )
    for attempt in live.select_related("payment__booking__quote__home"):
        driver.close(attempt=attempt, gateway=gateway, now=now)


def _give_up(change: DateChange, now: datetime) -> None:
    with locking.locked_booking(change.booking_id) as booking:
        change.refresh_from_db()
        if change.state != DateChange.State.OPEN or booking.cancel_requested_at is not None:
            return  # It was paid for, or the settlement of the cancellation ends it.
        live = PaymentAttempt.objects.filter(payment__booking=booking, state__in=list(LIVE_STATES))
        if live.exists():
            raise SettlementWaits(booking_id=booking.pk)
        changes.abandon_open(booking=booking, proof="its time ran out and nobody can pay", now=now)
