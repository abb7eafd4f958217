"""The cancellation rule as dates and pesos of one stay. Pure: no Django, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bookings import policies


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationTerms:
    """What cancelling costs on which local date.

    Attributes:
        free_until: the last day on which everything paid comes back; ``None`` when it has passed.
        late_from: the first day on which the house keeps ``late_kept_minor``; not before today.
        late_until: the day of arrival; later, or without an arrival, the house keeps the total.
        paid_minor: what will have been paid by then, the sum that comes back while it is free.
    """

    free_until: date | None
    late_from: date
    late_until: date
    paid_minor: int
    late_kept_minor: int
    total_minor: int

    @property
    def late_fee_minor(self) -> int:
        """What is still to be paid after a late cancellation."""
        return self.late_kept_minor - self.paid_minor


def cancellation_terms(
    *, check_in: date, total_minor: int, paid_minor: int, today: date
) -> CancellationTerms:
    late_from = check_in - timedelta(days=policies.FREE_CANCELLATION_DAYS)
    free_until = late_from - timedelta(days=1)
    return CancellationTerms(
        free_until=free_until if free_until >= today else None,
        late_from=max(late_from, today),
        late_until=check_in,
        paid_minor=paid_minor,
        late_kept_minor=policies.amount_kept_on_cancellation(
            total_minor=total_minor, paid_minor=paid_minor, share_bps=policies.LATE_CANCELLATION_BPS
        ),
        total_minor=total_minor,
    )
