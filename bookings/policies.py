"""The house rules of a stay: price, instants, holds, changes and cancellation. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

BASIS_POINTS = 10_000
CHECK_IN_TIME = time(15)
CHECK_OUT_TIME = time(12)
# How far ahead a stay can be had; the calendar shows no later month.
HORIZON = timedelta(days=730)
MIN_NIGHTS = 2
MAX_NIGHTS = 365
DEPOSIT_BPS = 3_000
LATE_CANCELLATION_BPS = 5_000
BALANCE_DELAY = timedelta(hours=48)
HOLD_DURATION = timedelta(minutes=30)
HOLD_EXTENSION = timedelta(minutes=30)
FREE_CANCELLATION_DAYS = 7
CHANGE_MEMORY = timedelta(days=7)

# Source: https://docs.stripe.com/currencies, the least and most that a card is charged at once, in pesos.
LEAST_CHARGE_MINOR = 1_000
MOST_CHARGE_MINOR = 99_999_999

# (from this many nights, this discount), longest first.
LENGTH_DISCOUNTS_BPS = ((30, 2_000), (7, 1_000))


def share_half_up(amount_minor: int, bps: int) -> int:
    """Return ``bps`` basis points of a non-negative amount, rounded half-up to the centavo."""
    return (amount_minor * bps + BASIS_POINTS // 2) // BASIS_POINTS


def discount_bps(nights: int) -> int:
    return next((bps for at_least, bps in LENGTH_DISCOUNTS_BPS if nights >= at_least), 0)


@dataclass(frozen=True, slots=True)
class Price:
    """What a stay costs, line by line, in centavos; ``tax_minor`` is IVA and the state's tax together."""

    lodging_minor: int
    discount_minor: int
    cleaning_minor: int
    tax_minor: int
    lodging_tax_minor: int = 0

    @property
    def iva_minor(self) -> int:
        return self.tax_minor - self.lodging_tax_minor

    @property
    def total_minor(self) -> int:
        return self.lodging_minor - self.discount_minor + self.cleaning_minor + self.tax_minor

    @property
    def deposit_minor(self) -> int:
        return share_half_up(self.total_minor, DEPOSIT_BPS)

    @property
    def balance_minor(self) -> int:
        return self.total_minor - self.deposit_minor

    @property
    def can_be_charged(self) -> bool:
        """Whether a card can be charged the deposit, and then the balance."""
        return can_be_charged(self.deposit_minor) and can_be_charged(self.balance_minor)


def can_be_charged(amount_minor: int) -> bool:
    return amount_minor == 0 or LEAST_CHARGE_MINOR <= amount_minor <= MOST_CHARGE_MINOR


def price_stay(
    *,
    nights: int,
    nightly_rate_minor: int,
    cleaning_fee_minor: int,
    tax_bps: int,
    lodging_tax_bps: int = 0,
) -> Price:
    """Price a stay: nightly rate less the length discount, plus cleaning, plus taxes.

    Args:
        tax_bps: IVA, on nights and cleaning.
        lodging_tax_bps: the state's tax on lodging, on the nights alone.
    """
    lodging = nightly_rate_minor * nights
    discount = share_half_up(lodging, discount_bps(nights))
    iva = share_half_up(lodging - discount + cleaning_fee_minor, tax_bps)
    lodging_tax = share_half_up(lodging - discount, lodging_tax_bps)
    return Price(lodging, discount, cleaning_fee_minor, iva + lodging_tax, lodging_tax)


@dataclass(frozen=True, slots=True)
class StayInstants:
    """The aware instants at which a stay begins, ends, and its balance falls due."""

    arrival_at: datetime
    departure_at: datetime
    balance_due_at: datetime


def stay_instants(*, check_in: date, check_out: date, timezone: ZoneInfo) -> StayInstants:
    arrival_at = datetime.combine(check_in, CHECK_IN_TIME, timezone)
    departure_at = datetime.combine(check_out, CHECK_OUT_TIME, timezone)
    # Added in UTC: 48 hours stay 48 hours across a change of the clocks.
    balance_due_at = arrival_at.astimezone(ZoneInfo("UTC")) + BALANCE_DELAY
    return StayInstants(arrival_at, departure_at, balance_due_at)


class NightsProblem(Enum):
    REVERSED = "reversed"
    PAST = "past"
    TOO_FEW = "too few"
    TOO_MANY = "too many"
    TOO_FAR = "too far"


def nights_problem(
    *, check_in: date, check_out: date, today: date, min_nights: int, max_nights: int
) -> NightsProblem | None:
    """Say what is wrong with the nights a guest asks for; ``today`` is the property's local date."""
    nights = (check_out - check_in).days
    if nights <= 0:
        return NightsProblem.REVERSED
    if check_in < today:
        return NightsProblem.PAST
    if nights < min_nights:
        return NightsProblem.TOO_FEW
    if nights > max_nights:
        return NightsProblem.TOO_MANY
    return NightsProblem.TOO_FAR if check_out > today + HORIZON else None


def moves_slept_nights(*, old_check_in: date, check_in: date, check_out: date, today: date) -> bool:
    """Whether a change would move nights that were already slept, or end the stay in the past."""
    return old_check_in <= today and (check_in != old_check_in or check_out < today)


def cancellation_share_bps(*, check_in: date, today: date) -> int:
    """Return the share of the total the house keeps when a stay is cancelled on ``today`` (local date)."""
    days_before = (check_in - today).days
    if days_before > FREE_CANCELLATION_DAYS:
        return 0
    return LATE_CANCELLATION_BPS if days_before >= 0 else BASIS_POINTS


def amount_kept_on_cancellation(*, total_minor: int, paid_minor: int, share_bps: int) -> int:
    """Return what the guest owes in all after cancelling: nothing while free, else at least what was paid."""
    return max(share_half_up(total_minor, share_bps), paid_minor) if share_bps else 0


def amount_kept_of_nights_given_up(*, given_up_minor: int, paid_beyond_minor: int, share_bps: int) -> int:
    """Return what is kept of nights that are given up: what cancelling them would cost, and no more.

    Args:
        given_up_minor: by how much the stay gets cheaper.
        paid_beyond_minor: what was paid beyond what the nights that remain cost.
    """
    if given_up_minor <= 0 or not share_bps:
        return 0
    kept = max(share_half_up(given_up_minor, share_bps), paid_beyond_minor)
    return min(kept, given_up_minor)


def arrival_that_decides(*, check_in: date, recent_check_ins: list[date]) -> date:
    """Return the arrival the cancellation rule counts from.

    Args:
        recent_check_ins: the old arrivals of the changes applied within ``CHANGE_MEMORY``; moving a stay
            to a later date just to cancel it for free does not pay.
    """
    return min([check_in, *recent_check_ins])


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCap:
    """How many unpaid holds one visitor, or one e-mail address, may make.

    Attributes:
        at_once: holds that stand at the same time.
        nights_at_once: nights of all of them together; a single hold may be longer.
        a_day: holds within a day that were never paid, whatever became of them.
    """

    at_once: int
    nights_at_once: int
    a_day: int


# A household, an office or a telephone network may share an address; an e-mail address is one person's.
VISITOR_CAP = HoldCap(at_once=4, nights_at_once=90, a_day=12)
VISITOR_AT_HOME_CAP = HoldCap(at_once=2, nights_at_once=90, a_day=4)
EMAIL_CAP = HoldCap(at_once=3, nights_at_once=90, a_day=8)


def exceeds(cap: HoldCap, *, standing: Sequence[int], made_today: int, nights: int) -> bool:
    """Tell whether one more unpaid hold is too many.

    Args:
        standing: the nights of each hold that stands.
        made_today: the unpaid holds of the last day, those that stand too.
        nights: of the hold that is asked for.
    """
    is_too_long = bool(standing) and sum(standing) + nights > cap.nights_at_once
    return len(standing) >= cap.at_once or made_today >= cap.a_day or is_too_long
