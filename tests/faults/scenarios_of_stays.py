"""Holds, cancellations and changes of dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bookings.models import Booking, BookingStatus
from payments.models import Payment
from payments.policies import PaymentKind, PaymentStatus
from reyes_estancias.local_stripe.faults import FaultKind
from tests.faults.guests import (
    Verdict,
    ask_for_nights,
    assert_charged_once,
    assert_nothing_kept,
    book,
    cancel,
    let_fall_due,
    open_page,
    pay_page,
    refreshed,
)
from tests.faults.life import Life
from tests.house import CONFIRM_INTENT, CREATE_SESSION, account_of


def unpaid_hold(life: Life) -> Verdict:
    """A guest opens the page and leaves: the nights are free again, and nothing was taken."""
    booking = life.house.hold()
    life.insist(lambda: open_page(life, booking))
    for _ in range(3):
        life.work(minutes=20)

    def verdict() -> None:
        assert life.house.lines(booking) == []
        assert refreshed(booking).status == BookingStatus.EXPIRED

    return verdict


def page_without_an_answer(life: Life) -> Verdict:
    """Nobody heard of the page that was made; the next click leads to it, or to another."""
    booking = life.house.hold()
    life.house.arm(FaultKind.RESET_AFTER, path=CREATE_SESSION)
    life.act(lambda: open_page(life, booking))
    life.house.wait(minutes=2)
    pay_page(life, booking)
    for minutes in (5, 35):
        life.work(minutes=minutes)

    def verdict() -> None:
        assert life.house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]

    return verdict


def hold_without_a_page(life: Life) -> Verdict:
    """A guest holds nights and never opens a page, or closes one that could not be made."""
    booking = life.house.hold()
    life.house.arm(FaultKind.RESET_BEFORE, path=CREATE_SESSION, count=2)
    life.act(lambda: open_page(life, booking))
    life.house.wait(minutes=2)
    life.act(life.house.run_janitor)
    for _ in range(3):
        life.work(minutes=20)

    def verdict() -> None:
        assert life.house.lines(booking) == []
        assert refreshed(booking).status == BookingStatus.EXPIRED

    return verdict


def cancelled_hold(life: Life) -> Verdict:
    """A hold whose page is open is given up."""
    booking = life.house.hold()
    life.insist(lambda: open_page(life, booking))
    cancel(life, booking)
    life.work(minutes=1)
    return lambda: assert_nothing_kept(life, booking)


def free_cancellation(life: Life) -> Verdict:
    """A stay is cancelled in time: the deposit goes back, once."""
    booking = book(life, check_in=(life.house.now + timedelta(days=30)).date())
    cancel(life, booking)
    life.work(minutes=1)

    def verdict() -> None:
        assert_nothing_kept(life, booking)
        assert life.house.refunds(booking) == [booking.quote.deposit_minor]

    return verdict


def late_cancellation(life: Life) -> Verdict:
    """A stay is cancelled late: its fee is charged, once."""
    booking = book(life, check_in=(life.house.now + timedelta(days=3)).date())
    cancel(life, booking)
    life.work(minutes=1)
    life.work(minutes=15)

    def verdict() -> None:
        assert refreshed(booking).status == BookingStatus.CANCELLED
        fees = Payment.objects.filter(booking=booking, kind=PaymentKind.FEE).exclude(status="void")
        assert life.house.charges(booking, PaymentKind.FEE) == [fee.amount_minor for fee in fees]
        assert [fee.status for fee in fees] == [PaymentStatus.PAID]

    return verdict


def cancelled_in_doubt(life: Life) -> Verdict:
    """A guest cancels while nobody knows whether the balance was taken: the house settles what is true."""
    booking = book(life)
    life.house.wait_until(booking.balance_due_at)
    life.house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    life.run_jobs()
    cancel(life, booking)
    life.work(minutes=1)

    def verdict() -> None:
        assert refreshed(booking).status == BookingStatus.CANCELLED
        assert len(life.house.charges(booking)) + len(life.house.charges(booking, PaymentKind.FEE)) == 1

    return verdict


def shorter_stay(life: Life) -> Verdict:
    """A stay becomes so short that its deposit is more than its price: the rest goes back, once."""
    booking = book(life, check_in=(life.house.now + timedelta(days=40)).date(), nights=20)
    ask_for_nights(life, booking, nights=2)
    life.work(minutes=1)
    return lambda: _paid_in_full_or_less(life, booking)


def longer_stay(life: Life) -> Verdict:
    """A stay becomes longer before its balance is paid: the deposit is topped up, then the dates apply."""
    booking = book(life)
    ask_for_nights(life, booking, nights=6)
    pay_page(life, booking)
    life.work(minutes=5)
    life.work(minutes=40)
    let_fall_due(life, refreshed(booking))

    def verdict() -> None:
        assert refreshed(booking).quote.night_count == 6
        assert life.house.taken(booking) == refreshed(booking).quote.total_minor
        assert len(life.house.charges(booking, PaymentKind.TOPUP)) == 1

    return verdict


def longer_paid_stay(life: Life) -> Verdict:
    """A stay becomes longer after its balance was paid: the difference is charged to the card, once."""
    booking = book(life, nights=10)
    let_fall_due(life, booking)
    ask_for_nights(life, booking, nights=12)
    for minutes in (1, 5, 15):
        life.work(minutes=minutes)

    def verdict() -> None:
        quote = refreshed(booking).quote
        assert life.house.taken(booking) == quote.total_minor
        assert len(life.house.charges(booking, PaymentKind.EXTENSION)) == (quote.night_count == 12)

    return verdict


def unpaid_change(life: Life) -> Verdict:
    """A guest asks for a longer stay and never pays for it: the stay is as it was."""
    booking = book(life)
    ask_for_nights(life, booking, nights=6)
    life.insist(lambda: open_page(life, booking))
    for _ in range(4):
        life.work(minutes=20)
    let_fall_due(life, booking)
    return lambda: assert_charged_once(life, booking)


def _paid_in_full_or_less(life: Life, booking: Booking) -> None:
    assert life.house.taken(booking) <= account_of(booking).owed_minor


SCENARIOS: tuple[Callable[[Life], Verdict], ...] = (
    unpaid_hold,
    page_without_an_answer,
    hold_without_a_page,
    cancelled_hold,
    free_cancellation,
    late_cancellation,
    cancelled_in_doubt,
    shorter_stay,
    longer_stay,
    longer_paid_stay,
    unpaid_change,
)
