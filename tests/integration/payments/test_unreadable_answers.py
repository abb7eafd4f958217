"""Stripe answers what nobody can read: that is doubt about one object, and no other waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookings.models import Booking
from payments import policies, refunds, tasks
from payments.exceptions import ComparisonUnfinished, OutcomeUnknown
from payments.models import PaymentAttempt, Refund
from payments.policies import AttemptState, PaymentStatus, RefundState
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import (
    CANCEL_INTENT,
    CONFIRM_INTENT,
    CREATE_INTENT,
    CREATE_REFUND,
    CREATE_SESSION,
    House,
    live_attempt,
)

UNREADABLE = [FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.BARE, FaultKind.RENAMED]


def leave_unknown(house: House, booking: Booking | None = None) -> PaymentAttempt:
    booking = booking or house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    return live_attempt(booking)


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_charge_whose_answer_cannot_be_read_is_in_doubt_and_taken_once(
    house: House, fault: FaultKind, path: str
):
    booking = house.book_due()
    house.arm(fault, path=path)

    assert house.run_jobs().retried == 1
    house.wait(seconds=30)
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_settlement_whose_answers_cannot_be_read_is_tried_again(house: House, fault: FaultKind):
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.arm(fault, path=CANCEL_INTENT)
    house.arm(fault, path=CREATE_REFUND)

    report = house.run_jobs()
    assert (report.retried, report.failed) == (1, 0)
    house.wait(minutes=2)
    house.run_jobs()
    house.wait(minutes=2)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == "cancelled"
    assert house.charges(booking) == []


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_refund_whose_answer_cannot_be_read_is_sent_once(house: House, fault: FaultKind):
    booking = house.book()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.arm(fault, path=CREATE_REFUND)

    assert house.run_jobs().failed == 0
    house.wait(minutes=2)
    house.run_jobs()

    assert house.refunds(booking) == [booking.quote.deposit_minor]
    assert Refund.objects.get().state == RefundState.SUCCEEDED


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_page_whose_answer_cannot_be_read_is_the_one_the_guest_gets_next(house: House, fault: FaultKind):
    booking = house.hold()
    house.arm(fault, path=CREATE_SESSION)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)

    house.open_page(booking)

    assert len(house.stripe.client.v1.checkout.sessions.list().data) == 1


@pytest.mark.parametrize("fault", UNREADABLE)
def test_an_answer_that_cannot_be_read_keeps_no_other_guest_waiting(house: House, fault: FaultKind):
    odd, other = leave_unknown(house), leave_unknown(house)
    house.wait(minutes=2)
    house.arm(fault, path=f"/v1/payment_intents/{odd.stripe_intent_id}", method="GET")

    assert house.run_janitor() == "looked_at=2 ended=1"

    other.refresh_from_db()
    odd.refresh_from_db()
    assert (other.state, odd.state) == (AttemptState.SUCCEEDED, AttemptState.UNKNOWN)
    assert odd.check_at == house.now + policies.check_delay(0)


def test_a_fault_of_ours_in_one_look_keeps_no_other_guest_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    odd, other = leave_unknown(house), leave_unknown(house)
    house.wait(minutes=2)
    retrieve = house.gateway.retrieve_intent

    def stumble(intent_id: str):
        if intent_id == odd.stripe_intent_id:
            raise ZeroDivisionError
        return retrieve(intent_id)

    with monkeypatch.context() as patch:
        patch.setattr(house.gateway, "retrieve_intent", stumble)
        assert house.run_janitor() == "looked_at=2 ended=1"

    other.refresh_from_db()
    assert other.state == AttemptState.SUCCEEDED
    assert "ZeroDivisionError" in caplog.text


def test_a_refund_that_stumbles_keeps_no_other_waiting(house: House, monkeypatch: pytest.MonkeyPatch):
    for _ in range(2):
        booking = house.book()
        request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
        tasks.settle_cancellation(booking.pk, BASE_URL)
    house.wait(minutes=2)
    first, second = Refund.objects.order_by("pk")
    send = refunds.send

    def stumble(*, refund: Refund, **context):
        if refund.pk == first.pk:
            raise AttributeError("status")
        return send(refund=refund, **context)

    with monkeypatch.context() as patch:
        patch.setattr(refunds, "send", stumble)
        house.run_janitor()

    second.refresh_from_db()
    assert second.state == RefundState.SUCCEEDED


def test_two_janitors_of_one_minute_look_once(house: House):
    leave_unknown(house)
    house.wait(minutes=2)

    assert house.run_janitor() == "looked_at=1 ended=1"
    leave_unknown(house)
    house.wait(minutes=2)
    house.arm(FaultKind.UNAVAILABLE, path="*", method="GET", count=9)
    assert [house.run_janitor() for _ in range(2)] == ["looked_at=1 ended=0", "looked_at=0 ended=0"]


@pytest.mark.parametrize("fault", UNREADABLE)
def test_a_charge_that_cannot_be_compared_at_night_keeps_no_other_from_it(house: House, fault: FaultKind):
    booked = [house.book(), house.book()]
    house.wait_until(booked[1].balance_due_at)
    odd, other = (leave_unknown(house, booking) for booking in booked)
    house.arm(fault, path=f"/v1/payment_intents/{odd.stripe_intent_id}", method="GET")

    with pytest.raises(ComparisonUnfinished):
        tasks.reconcile_with_stripe()

    other.refresh_from_db()
    assert other.state == AttemptState.SUCCEEDED
    assert tasks.reconcile_with_stripe().endswith("open=0")


def test_a_refund_that_has_no_place_in_our_rows_keeps_no_other_from_being_compared(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """Stripe makes none of nothing, and whatever else the database refuses stands for it."""
    for booking in (house.book(), house.book()):
        house.control.refund_by_hand(deposit_intent(booking), amount=50_000)
    newest, other = house.gateway.list_refunds(since=house.now - timedelta(days=1))
    listed = [replace(newest, amount_minor=0), other]
    with monkeypatch.context() as patch:
        patch.setattr(type(house.gateway), "list_refunds", lambda *_, **_options: iter(listed))
        with pytest.raises(ComparisonUnfinished):
            tasks.reconcile_with_stripe()

    assert Refund.objects.get().stripe_refund_id == other.id
    assert tasks.reconcile_with_stripe().endswith("open=0")
    assert Refund.objects.count() == 2


def deposit_intent(booking: Booking) -> str:
    return booking.payments.get(kind="deposit").attempts.get().stripe_intent_id or ""


def test_a_charge_of_a_newer_release_is_no_reason_to_compare_again(house: House):
    attempt = leave_unknown(house)
    PaymentAttempt.objects.update(protocol_version=policies.PROTOCOL_VERSION + 1)

    assert tasks.reconcile_with_stripe() == "compared=1 repaired=0 open=0"

    attempt.refresh_from_db()
    assert attempt.state == AttemptState.UNKNOWN
    PaymentAttempt.objects.update(protocol_version=policies.PROTOCOL_VERSION)
