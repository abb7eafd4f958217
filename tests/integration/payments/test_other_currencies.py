"""Sums at Stripe in another currency than the charge: never booked as centavos, a difference says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bookings.models import Booking
from payments import tasks
from payments.exceptions import ContradictoryEvidence
from payments.models import Dispute, LedgerTransfer, Payment, ReconciliationBreak, Refund
from payments.policies import DisputeStatus, PaymentKind, RefundState
from payments.services import request_cancellation
from tests.factories import BASE_URL
from tests.house import House, account_of

Change = Callable[[Any], Any]


def deposit_intent(booking: Booking) -> str:
    return booking.payments.get(kind="deposit").attempts.get(state="succeeded").stripe_intent_id or ""


def in_dollars(answer: Any) -> Any:
    return replace(answer, currency="usd", amount_minor=5_000)


def moved_in_dollars(answer: Any) -> Any:
    """An account whose balance is in dollars: the dispute is in pesos, what it moves is not."""
    return replace(answer, movements=tuple(map(in_dollars, answer.movements)))


def disputed_in_yen(answer: Any) -> Any:
    return replace(answer, currency="jpy", amount_minor=5_000, movements=())


def changed(house: House, patch: pytest.MonkeyPatch, method: str, change: Change) -> None:
    ask = getattr(house.gateway, method)

    def answer(_self: object, *args: Any, **options: Any) -> Any:
        said = ask(*args, **options)
        return map(change, said) if method.startswith(("find", "list")) else change(said)

    patch.setattr(type(house.gateway), method, answer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (moved_in_dollars, "not booked: 3,166.80, 5,000 USD (smallest units)"),
        (disputed_in_yen, "not booked: 5,000 JPY (smallest units)"),
    ],
)
@pytest.mark.parametrize("told_by", ["event", "night"])
def test_what_a_dispute_moves_in_another_currency_stops_collection_and_is_no_centavos(
    house: House, monkeypatch: pytest.MonkeyPatch, change: Change, said: str, told_by: str
):
    booking = house.book()
    house.control.open_dispute(deposit_intent(booking))

    with monkeypatch.context() as patch:
        changed(house, patch, "retrieve_dispute", change)
        changed(house, patch, "list_disputes", change)
        if told_by == "event":
            house.deliver_events()
        else:
            tasks.reconcile_with_stripe()

    row = Dispute.objects.get()
    assert (row.status, row.withheld_minor) == (DisputeStatus.NEEDS_RESPONSE, 0)
    assert (account_of(booking).disputed_minor, account_of(booking).lost_minor) == (0, 0)
    assert not LedgerTransfer.objects.filter(source_type__startswith="dispute").exists()
    difference = ReconciliationBreak.objects.get(closed_at__isnull=True)
    assert (difference.kind, difference.booking) == ("charge_differs", booking)
    paid = f"{booking.quote.deposit_minor / 100:,.2f}"
    assert said.replace("3,166.80", paid) in difference.theirs
    assert difference.ours == paid
    house.wait_until(booking.balance_due_at)
    assert house.charge(booking) == "disputed"
    _let_it_be_true(house)


def test_a_lost_dispute_in_another_currency_is_no_loss_in_pesos(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book()
    dispute_id = house.control.open_dispute(deposit_intent(booking))
    house.control.close_dispute(dispute_id, status="lost")

    with monkeypatch.context() as patch:
        changed(house, patch, "retrieve_dispute", moved_in_dollars)
        house.deliver_events()

    assert (account_of(booking).disputed_minor, account_of(booking).lost_minor) == (0, 0)
    assert Dispute.objects.get().status == DisputeStatus.LOST
    _let_it_be_true(house)


def test_a_refund_by_hand_in_another_currency_is_not_booked(house: House, monkeypatch: pytest.MonkeyPatch):
    booking = house.book()
    house.control.refund_by_hand(deposit_intent(booking), amount=50_000)

    with monkeypatch.context() as patch:
        for method in ("retrieve_refund", "find_refunds", "list_refunds"):
            changed(house, patch, method, lambda answer: replace(answer, currency="usd"))
        tasks.reconcile_with_stripe()

    assert not Refund.objects.exists()
    assert account_of(booking).refunded_minor == 0
    difference = ReconciliationBreak.objects.get()
    assert (difference.kind, difference.booking) == ("foreign_refund", booking)
    assert "50,000 USD (smallest units)" in difference.theirs
    tasks.reconcile_with_stripe()
    assert account_of(booking).refunded_minor == 50_000


def test_a_refund_of_ours_that_is_answered_in_another_currency_is_not_taken_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book(check_in=house.now.date().replace(month=12))
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    with monkeypatch.context() as patch:
        changed(house, patch, "create_refund", lambda answer: replace(answer, currency="usd"))
        house.run_jobs()

    refund = Refund.objects.get()
    assert refund.state == RefundState.REQUESTED
    assert account_of(booking).refunded_minor == 0
    with monkeypatch.context() as patch, pytest.raises(ContradictoryEvidence, match="USD"):
        changed(house, patch, "find_refunds", lambda answer: replace(answer, currency="usd"))
        tasks.refund_payment(refund.pk)


@pytest.mark.parametrize(("currency", "said"), [("usd", "USD"), ("jpy", "JPY"), ("kwd", "KWD")])
def test_a_charge_in_another_currency_is_not_taken_for_ours(
    house: House, monkeypatch: pytest.MonkeyPatch, currency: str, said: str
):
    """Whatever its decimals: the difference tells the sum as Stripe counts it, and the currency."""
    booking = house.book_due()
    house.charge(booking)
    amount = f"{booking.quote.balance_minor:,} {said} (smallest units)"

    with monkeypatch.context() as patch:
        changed(house, patch, "list_intents", lambda intent: replace(intent, currency=currency))
        tasks.reconcile_with_stripe()

    balance = Payment.objects.get(booking=booking, kind=PaymentKind.BALANCE)
    intent_id = balance.attempts.get().stripe_intent_id
    assert amount in ReconciliationBreak.objects.get(stripe_id=intent_id).theirs


def _let_it_be_true(house: House) -> None:
    """Stripe says it in pesos after all, as the bank statement of these tests does."""
    for dispute in Dispute.objects.all():
        tasks.apply_stripe_event(_event_of(house, dispute), again=True)
    assert account_of(dispute.attempt.payment.booking).disputed_minor + _lost(dispute) > 0


def _event_of(house: House, dispute: Dispute) -> str:
    house.deliver_events()
    events = [each for each in house.events() if each["type"].startswith("charge.dispute.")]
    return str(events[-1]["id"])


def _lost(dispute: Dispute) -> int:
    return account_of(dispute.attempt.payment.booking).lost_minor
