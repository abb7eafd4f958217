"""A guest moves a stay: what it would cost, then the change, at once or once it is paid for.

Nights, price, balance and its charge change in one transaction, or not at all. Dearer dates are held beside
the old ones while the guest pays what they cost first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from bookings import date_changes, policies
from bookings import queries as calendar
from bookings.availability import Stay, is_free
from bookings.exceptions import PriceRefused, SameNights, StayUnavailable
from bookings.models import Booking, Quote
from payments import billing
from payments.change_money import ChangeFacts, ChangeMoney, plan_change
from payments.exceptions import ChangeNeedsPayment, PaymentUnderWay
from payments.ledger import changes, locking, mismatches
from payments.models import BookingAccount, PaymentAttempt
from payments.policies import LIVE_STATES, PaymentKind, PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePreview:
    """A booking on other nights, beside what it is now."""

    stay: Stay
    price: policies.Price
    money: ChangeMoney
    old_total_minor: int
    paid_minor: int
    balance_due_at: datetime
    nights_given_up: int

    @property
    def sums(self) -> str:
        """What the guest agrees to: the same text stands for the same sums."""
        money = self.money
        return f"{money.charge_minor}-{money.refund_minor}-{money.balance_minor}-{money.kept_minor}"


def preview_change(*, booking: Booking, check_in: date, check_out: date, now: datetime) -> ChangePreview:
    """Price other nights for a booking, if they can be had.

    Raises:
        ChangeRefused: the booking is not confirmed, has these nights, or nights already slept would move.
        StayRefused: the nights break a rule or belong to somebody else.
    """
    date_changes.check_change(booking=booking, check_in=check_in, check_out=check_out, now=now)
    if _are_those_of(booking, check_in, check_out):
        raise SameNights
    _require_free(booking, check_in, check_out, now)
    price = date_changes.price_change(booking=booking, check_in=check_in, check_out=check_out)
    money, facts = _plan(booking, price, check_in, check_out, now)
    stay = Stay(check_in=check_in, check_out=check_out, guests=booking.quote.guests)
    instants = policies.stay_instants(check_in=check_in, check_out=check_out, timezone=booking.home.tz)
    return ChangePreview(
        stay=stay,
        price=price,
        money=money,
        old_total_minor=facts.old_total_minor,
        paid_minor=max(facts.paid_minor, 0),
        balance_due_at=instants.balance_due_at,
        nights_given_up=max(booking.quote.night_count - stay.night_count, 0),
    )


def change_dates(
    *,
    booking: Booking,
    check_in: date,
    check_out: date,
    base_url: str,
    now: datetime,
    agreed_charge_minor: int = 0,
) -> Quote:
    """Move a confirmed stay, or hold its new nights until what they cost first is paid.

    Args:
        agreed_charge_minor: what the guest has agreed to pay before the dates apply.

    Returns:
        The quote of the new dates; the booking carries it, unless something is to be paid first. Asked for
        the dates that the stay has, as by a form that is sent twice, it leaves all as it is.

    Raises:
        ChangeRefused: the booking is not confirmed, or nights already slept would move.
        StayRefused: the new nights break a rule or belong to somebody else.
        ChangeNeedsPayment: something else is to be paid first than was agreed.
        PaymentUnderWay: money for this booking is moving at this moment.
    """
    with locking.locked_booking(booking.pk) as locked:
        if PaymentAttempt.objects.filter(payment__booking=locked, state__in=list(LIVE_STATES)).exists():
            raise PaymentUnderWay
        changes.abandon_open(booking=locked, proof="other dates were chosen", now=now)
        date_changes.check_change(booking=locked, check_in=check_in, check_out=check_out, now=now)
        if _are_those_of(locked, check_in, check_out):
            return locked.quote
        price = date_changes.price_change(booking=locked, check_in=check_in, check_out=check_out)
        money, _facts = _plan(locked, price, check_in, check_out, now)
        if money.charge_minor != agreed_charge_minor:
            raise ChangeNeedsPayment
        if money.kind is None:
            return _apply(locked, check_in, check_out, money, base_url, now)
        return _hold(locked, check_in, check_out, money, money.kind, base_url, now)


def give_up_change(*, booking: Booking, now: datetime) -> bool:
    """Leave a stay as it was, if the guest will not pay for other dates. Returns whether there was a change.

    Raises:
        PaymentUnderWay: it is being paid for.
    """
    with locking.locked_booking(booking.pk) as locked:
        if PaymentAttempt.objects.filter(payment__booking=locked, state__in=list(LIVE_STATES)).exists():
            raise PaymentUnderWay
        return changes.abandon_open(booking=locked, proof="given up by the guest", now=now)


def _apply(
    booking: Booking, check_in: date, check_out: date, money: ChangeMoney, base_url: str, now: datetime
) -> Quote:
    old_quote = booking.quote
    quote = date_changes.change_nights(
        booking=booking, check_in=check_in, check_out=check_out, kept_minor=money.kept_minor, now=now
    )
    if quote.total_minor != old_quote.total_minor:
        billing.bill_quote(booking=booking, quote=quote, now=now)
        changes.reprice(booking=booking, old_quote=old_quote, kept_minor=money.kept_minor, now=now)
    changes.finish(booking=booking, old_quote=old_quote, base_url=base_url, now=now)
    return quote


def _hold(
    booking: Booking,
    check_in: date,
    check_out: date,
    money: ChangeMoney,
    kind: PaymentKind,
    base_url: str,
    now: datetime,
) -> Quote:
    """Hold dearer dates. While a bank or a person looks into the booking's money, none is asked for."""
    if locking.is_disputed(booking) or mismatches.lock_collection(booking.pk):
        raise ChangeNeedsPayment
    change = date_changes.hold_change(
        booking=booking,
        check_in=check_in,
        check_out=check_out,
        charge_minor=money.charge_minor,
        kept_minor=money.kept_minor,
        now=now,
    )
    changes.open_change(booking=booking, change=change, kind=kind, base_url=base_url, now=now)
    return change.quote


def _are_those_of(booking: Booking, check_in: date, check_out: date) -> bool:
    return (check_in, check_out) == (booking.quote.check_in, booking.quote.check_out)


def _require_free(booking: Booking, check_in: date, check_out: date, now: datetime) -> None:
    closed = calendar.closed_nights(
        home=booking.home, first=check_in, last=check_out, now=now, apart_from=booking
    )
    if not is_free(check_in=check_in, check_out=check_out, closed=closed):
        raise StayUnavailable


def _plan(
    booking: Booking, price: policies.Price, check_in: date, check_out: date, now: datetime
) -> tuple[ChangeMoney, ChangeFacts]:
    """Decide what would move.

    Raises:
        PriceRefused: a card cannot be charged one of the sums.
    """
    account = BookingAccount.objects.get(booking=booking)
    open_change = date_changes.find_open(booking)
    balance = booking.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID).first()
    facts = ChangeFacts(
        old_total_minor=booking.quote.total_minor,
        new_total_minor=price.total_minor,
        new_deposit_minor=price.deposit_minor,
        fewer_nights=(check_out - check_in).days < booking.quote.night_count,
        owed_minor=account.owed_minor - (open_change.charge_minor if open_change else 0),
        paid_minor=account.paid_minor,
        owes_balance=balance is not None and balance.status != PaymentStatus.PAID,
        share_bps=billing.share_kept(booking, asked_at=now),
    )
    money = plan_change(facts)
    if not money.can_be_charged:
        raise PriceRefused
    return money, facts
