"""What others do with money: disputes, refunds by hand, refunds that come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bookings.models import BookingStatus
from payments.models import Refund
from payments.panels.pay_again import pay_again
from payments.policies import PaymentKind, RefundState
from procrastinate_tasks.actions.reports import Actor
from tests.faults.guests import (
    Verdict,
    assert_charged_once,
    assert_nothing_kept,
    book,
    cancel,
    intent_of,
    let_fall_due,
    refreshed,
)
from tests.faults.life import Life


def dispute_lost(life: Life) -> Verdict:
    """A cardholder disputes the deposit and wins: its balance is never charged."""
    booking = book(life)
    dispute = life.house.control.open_dispute(intent_of(booking, PaymentKind.DEPOSIT))
    life.work(minutes=5)
    life.work_at_night()
    let_fall_due(life, booking)
    life.house.control.close_dispute(dispute, status="lost")
    life.work(minutes=5)

    def verdict() -> None:
        assert life.house.charges(booking) == []

    return verdict


def dispute_won(life: Life) -> Verdict:
    """A cardholder disputes the deposit and loses: the balance is charged after all."""
    booking = book(life)
    dispute = life.house.control.open_dispute(intent_of(booking, PaymentKind.DEPOSIT))
    life.work(minutes=5)
    life.work_at_night()
    let_fall_due(life, booking)
    assert life.house.charges(booking) == []
    life.house.control.close_dispute(dispute, status="won")
    life.work(minutes=5)
    life.work_at_night()
    return lambda: assert_charged_once(life, booking)


def refund_by_hand(life: Life) -> Verdict:
    """Somebody refunds a part in the dashboard; the guest cancels, and gets the rest."""
    booking = book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.refund_by_hand(intent_of(booking, PaymentKind.DEPOSIT), amount=50_000)
    life.work(minutes=1)
    cancel(life, booking)
    life.work(minutes=5)
    return lambda: assert_nothing_kept(life, booking)


def refund_comes_back(life: Life) -> Verdict:
    """A bank sends a refund back days later; staff have it paid again."""
    booking = book(life, check_in=(life.house.now + timedelta(days=30)).date())
    cancel(life, booking)
    life.work(minutes=1)
    life.work(minutes=5)
    refund = Refund.objects.get(state=RefundState.SUCCEEDED)
    life.house.control.fail_refund(refund.stripe_refund_id or "")
    life.work(minutes=5)
    life.work_at_night()
    failed = Refund.objects.get(state=RefundState.FAILED)
    life.act(lambda: pay_again(refund_id=failed.pk, actor=Actor(name="Ana")))
    if Refund.objects.get(pk=failed.pk).state == RefundState.FAILED:
        life.insist(lambda: pay_again(refund_id=failed.pk, actor=Actor(name="Ana")))
    life.work(minutes=5)
    return lambda: assert_nothing_kept(life, booking)


def refund_that_finds_nothing_left(life: Life) -> Verdict:
    """All of the deposit was refunded in the dashboard, and nobody told us before our own refund."""
    booking = book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.refund_by_hand(intent_of(booking, PaymentKind.DEPOSIT))
    cancel(life, booking)
    life.run_jobs()
    life.work(minutes=5)
    return lambda: assert_nothing_kept(life, booking)


def refund_of_disputed_money(life: Life) -> Verdict:
    """The deposit is disputed, and nobody told us before our refund: the bank has it already."""
    booking = book(life, check_in=(life.house.now + timedelta(days=30)).date())
    life.house.control.open_dispute(intent_of(booking, PaymentKind.DEPOSIT))
    cancel(life, booking)
    life.run_jobs()
    life.work(minutes=5)
    life.work_at_night()

    def verdict() -> None:
        assert refreshed(booking).status == BookingStatus.CANCELLED
        assert life.house.refunds(booking) == []

    return verdict


SCENARIOS: tuple[Callable[[Life], Verdict], ...] = (
    dispute_lost,
    dispute_won,
    refund_by_hand,
    refund_comes_back,
    refund_that_finds_nothing_left,
    refund_of_disputed_money,
)
