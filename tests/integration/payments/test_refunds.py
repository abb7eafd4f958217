"""Money on its way back: once, never more than was taken, and open until the bank has paid it."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from bookings.models import Booking
from payments import tasks
from payments.exceptions import OutcomeUnknown
from payments.ledger import locking, refunds
from payments.models import Refund
from payments.policies import RefundState
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL
from tests.house import CREATE_REFUND, House, account_of


def cancel(house: House, booking: Booking) -> Refund:
    """Cancel in time, and return the refund of the deposit, not sent yet."""
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    assert tasks.settle_cancellation(booking.pk, BASE_URL) == "cancelled"
    return Refund.objects.get(attempt__payment__booking=booking)


@pytest.mark.parametrize("fault", list(FaultKind))
def test_a_refund_is_paid_once_whatever_becomes_of_its_request(house: House, fault: FaultKind):
    booking = house.book()
    house.arm(fault, path=CREATE_REFUND)

    refund = cancel(house, booking)
    for _ in range(3):
        house.run_jobs()
        house.wait(minutes=2)
        house.run_janitor()
    house.wait(hours=26)
    house.run_janitor()

    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED
    assert house.refunds(booking) == [booking.quote.deposit_minor]


def test_a_partial_refund_whose_key_stripe_has_forgotten_is_found_and_not_sent_again(house: House):
    booking = house.book_due()
    house.charge(booking)
    with locking.locked_booking(booking.pk) as locked:
        refunds.request_refund(booking=locked, amount_minor=1_000, reason="test", now=house.now)
    refund = Refund.objects.get()
    house.arm(FaultKind.RESET_AFTER, path=CREATE_REFUND)
    with pytest.raises(OutcomeUnknown):
        tasks.refund_payment(refund.pk)

    house.wait(hours=30)
    assert tasks.refund_payment(refund.pk) == "succeeded"

    assert house.refunds(booking) == [1_000]


def test_a_refund_that_is_run_many_times_is_paid_once(house: House):
    booking = house.book()
    refund = cancel(house, booking)

    answers = {tasks.refund_payment(refund.pk) for _ in range(4)}
    house.run_jobs()
    house.wait(minutes=10)
    house.run_janitor()

    assert answers == {"succeeded"}
    assert house.refunds(booking) == [booking.quote.deposit_minor]


def test_a_refund_that_does_not_exist_ends_its_job(house: House):
    assert tasks.refund_payment(4_000_000_000) == "not_found"


def test_a_refund_the_bank_takes_its_time_over_is_open_until_it_is_paid(house: House):
    booking = house.book(card="pm_card_pendingRefund")
    refund = cancel(house, booking)

    assert tasks.refund_payment(refund.pk) == "submitted"
    assert account_of(booking).refunding_minor == booking.quote.deposit_minor
    house.wait(minutes=2)
    house.run_janitor()

    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED
    assert account_of(booking).refunding_minor == 0


def test_a_slow_refund_is_recorded_when_stripe_says_so(house: House):
    booking = house.book(card="pm_card_pendingRefund")
    cancel(house, booking)
    house.run_jobs()
    house.wait(seconds=10)
    house.control.settle_refunds()

    house.deliver_events()

    assert Refund.objects.get().state == RefundState.SUCCEEDED


def test_a_refund_that_comes_back_days_later_is_owed_to_the_guest_again(house: House):
    booking = house.book(card="pm_card_refundFail")
    refund = cancel(house, booking)
    assert tasks.refund_payment(refund.pk) == "succeeded"
    house.wait(days=3)
    house.control.settle_refunds()

    house.deliver_events()
    tasks.refund_payment(refund.pk)

    refund.refresh_from_db()
    assert refund.state == RefundState.FAILED
    assert refund.failure
    assert house.taken(booking) == booking.quote.deposit_minor
    assert account_of(booking).refunding_minor == booking.quote.deposit_minor, "still owed to the guest"


def test_a_refund_that_fails_before_it_is_paid_stays_owed_to_the_guest(house: House):
    booking = house.book(card="pm_card_pendingRefund")
    refund = cancel(house, booking)
    tasks.refund_payment(refund.pk)
    refund.refresh_from_db()
    house.control.fail_refund(refund.stripe_refund_id or "")

    house.deliver_events()

    refund.refresh_from_db()
    assert refund.state == RefundState.FAILED
    assert account_of(booking).refunding_minor == booking.quote.deposit_minor


def test_more_than_was_taken_is_refused_before_anything_is_asked_of_stripe(house: House):
    booking = house.book()

    with locking.locked_booking(booking.pk) as locked, pytest.raises(ValueError, match="more to refund"):
        refunds.request_refund(
            booking=locked, amount_minor=booking.quote.deposit_minor + 1, reason="test", now=house.now
        )

    assert not Refund.objects.exists()


def test_the_database_refuses_a_refund_of_more_than_was_taken(house: House):
    booking = house.book()
    refund = cancel(house, booking)

    with pytest.raises(IntegrityError, match="payments_never_refund_more"), transaction.atomic():
        Refund.objects.create(
            attempt=refund.attempt,
            amount_minor=1,
            currency="mxn",
            reason="test",
            check_at=house.now,
            created_at=house.now,
            updated_at=house.now,
        )

    house.run_jobs()
    assert house.taken(booking) == 0


def test_a_refund_is_spread_over_what_was_captured_newest_first(house: House):
    booking = house.book_due()
    house.charge(booking)
    balance, deposit = booking.quote.balance_minor, booking.quote.deposit_minor

    with locking.locked_booking(booking.pk) as locked:
        refunds.request_refund(booking=locked, amount_minor=balance + 700, reason="test", now=house.now)
    house.run_jobs()

    assert sorted(house.refunds(booking)) == sorted([balance, 700])
    assert house.taken(booking) == deposit - 700


def test_money_paid_back_by_hand_at_stripe_is_never_paid_back_twice(house: House):
    """Somebody refunds in Stripe's dashboard while ours waits: no peso moves twice, a failed one is owed."""
    booking = house.book()
    refund = cancel(house, booking)
    by_hand = house.stripe.client.v1.refunds.create({"payment_intent": refund.attempt.stripe_intent_id or ""})

    report = house.run_jobs()

    assert report.failed == 0
    assert house.refunds(booking) == [booking.quote.deposit_minor]
    refund.refresh_from_db()
    assert refund.state == RefundState.VOID
    house.wait(days=1)
    house.control.fail_refund(by_hand.id)
    house.deliver_events()
    assert account_of(booking).refunding_minor == booking.quote.deposit_minor, "owed to the guest again"
    assert house.taken(booking) == booking.quote.deposit_minor
