"""What cancelling costs: one rule for the page that promises it and the settlement that keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from bookings import policies as house
from bookings.models import Booking, BookingStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationCost:
    """What a guest pays in all when cancelling, and what moves for it, in centavos."""

    paid_minor: int
    kept_minor: int

    @property
    def refund_minor(self) -> int:
        return max(self.paid_minor - self.kept_minor, 0)

    @property
    def fee_minor(self) -> int:
        return max(self.kept_minor - self.paid_minor, 0)


def arrival_that_decides(booking: Booking, *, asked_at: datetime) -> date:
    """Return the arrival the rule counts from, for a guest who asks to cancel at ``asked_at``."""
    recent = booking.changes.filter(applied_at__gte=asked_at - house.CHANGE_MEMORY).select_related(
        "old_quote"
    )
    return house.arrival_that_decides(
        check_in=booking.quote.check_in, recent_check_ins=[change.old_quote.check_in for change in recent]
    )


def cancellation_cost(booking: Booking, *, paid_minor: int, asked_at: datetime) -> CancellationCost:
    """Return what cancelling costs on the local date on which it is asked for; a hold costs nothing."""
    if booking.status == BookingStatus.PENDING:
        return CancellationCost(paid_minor=paid_minor, kept_minor=0)
    share_bps = house.cancellation_share_bps(
        check_in=arrival_that_decides(booking, asked_at=asked_at),
        today=asked_at.astimezone(booking.home.tz).date(),
    )
    kept = house.amount_kept_on_cancellation(
        total_minor=booking.quote.total_minor, paid_minor=paid_minor, share_bps=share_bps
    )
    return CancellationCost(paid_minor=paid_minor, kept_minor=kept)
