"""Each confirmation is permitted by a last look of its own, whoever goes on with the attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from bookings.models import Booking, BookingStatus
from payments import clocks, policies, tasks
from payments.deferred_jobs import unschedule
from payments.exceptions import ClocksDisagree, NewerRelease, OutcomeUnknown
from payments.ledger import claims
from payments.models import Payment, PaymentAttempt
from payments.policies import AttemptState, PaymentStatus
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, CREATE_SESSION, House, account_of, last_attempt, live_attempt

CONFIRM = "payment_intents/pi/confirm"


def leave_confirming(house: House, booking: Booking) -> PaymentAttempt:
    """Let the worker of a charge die when its confirmation was permitted and not sent."""
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    return live_attempt(booking)


def charge_again(house: House, booking: Booking) -> object:
    return house.charge(booking)


def let_the_janitor_come(house: House, booking: Booking) -> object:
    house.wait(minutes=2)
    return house.run_janitor()


ANYBODY = [charge_again, let_the_janitor_come]


@pytest.mark.parametrize("go_on", ANYBODY)
def test_a_charge_that_is_gone_on_with_after_the_guest_cancelled_takes_nothing(
    house: House, go_on: Callable[[House, Booking], object]
):
    booking = house.book_due()
    leave_confirming(house, booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    go_on(house, booking)

    house.wait(minutes=2)
    house.run_janitor()
    assert house.charges(booking) == []
    house.run_jobs()
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert last_attempt(balance_whatever_became_of_it(booking)).state == AttemptState.CANCELED


def balance_whatever_became_of_it(booking: Booking) -> Payment:
    return Payment.objects.get(booking=booking, kind="balance")


@pytest.mark.parametrize("go_on", ANYBODY)
def test_a_balance_claimed_by_a_clock_that_was_ahead_is_charged_at_its_hour_and_not_before(
    house: House, monkeypatch: pytest.MonkeyPatch, go_on: Callable[[House, Booking], object]
):
    booking = house.book()
    house.wait_until(booking.balance_due_at - timedelta(hours=13))
    ahead = booking.balance_due_at + timedelta(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(clocks, "require_agreement", lambda: None)
        claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=ahead)
    PaymentAttempt.objects.update(check_at=house.now)

    go_on(house, booking)

    assert house.charges(booking) == []
    assert balance_of(booking).status == PaymentStatus.PENDING
    assert last_attempt(balance_of(booking)).proof.endswith("canceled: not_due")
    assert account_of(booking).in_flight_minor == 0
    house.wait_until(booking.balance_due_at)
    assert tasks.scan_and_charge_balances() in ("enqueued=0", "enqueued=1")
    house.run_jobs()
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_an_early_charge_answers_that_it_is_not_due(house: House, monkeypatch: pytest.MonkeyPatch):
    booking = house.book()
    house.wait_until(booking.balance_due_at - timedelta(hours=13))
    with monkeypatch.context() as patch:
        patch.setattr(clocks, "require_agreement", lambda: None)
        claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=booking.balance_due_at)

    assert house.charge(booking) == "not_due"


def test_a_clock_that_is_ahead_claims_nothing(house: House, monkeypatch: pytest.MonkeyPatch):
    booking = house.book_due()
    monkeypatch.setattr(clocks, "read_database_clock", lambda: timezone.now() - timedelta(hours=13))

    with pytest.raises(ClocksDisagree):
        house.charge(booking)

    assert not balance_of(booking).attempts.exists()


def test_a_clock_that_is_wrong_at_the_confirmation_keeps_the_attempt_for_a_right_one(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    leave_confirming(house, booking)
    with monkeypatch.context() as patch:
        patch.setattr(clocks, "read_database_clock", lambda: timezone.now() - timedelta(seconds=61))
        with pytest.raises(ClocksDisagree):
            house.charge(booking)
    assert live_attempt(booking).stripe_intent_id

    assert house.charge(booking) == "succeeded"
    assert balance_of(booking).attempts.count() == 1


def change_amount(payment: Payment, amount_minor: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger looks
        Payment.objects.filter(pk=payment.pk).update(amount_minor=amount_minor)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_an_attempt_whose_payment_has_another_amount_takes_nothing(house: House):
    """The database does not let that happen, so it has to look away here."""
    booking = house.book_due()
    leave_confirming(house, booking)
    balance = balance_of(booking)

    change_amount(balance, balance.amount_minor - 100)
    house.charge(booking)
    change_amount(balance, balance.amount_minor)

    assert house.charges(booking) == []
    assert last_attempt(balance_of(booking)).proof.endswith("canceled: amount_changed")


# --- What a newer release has begun -----------------------------------------------------------------------


def hand_to_a_newer_release(attempt: PaymentAttempt) -> Mapping[str, object]:
    PaymentAttempt.objects.filter(pk=attempt.pk).update(protocol_version=policies.PROTOCOL_VERSION + 1)
    return PaymentAttempt.objects.filter(pk=attempt.pk).values().get()


def hand_back(attempt: PaymentAttempt) -> None:
    PaymentAttempt.objects.filter(pk=attempt.pk).update(protocol_version=policies.PROTOCOL_VERSION)


def scan(house: House, booking: Booking) -> object:
    unschedule(booking=booking)
    assert tasks.scan_and_charge_balances() == "enqueued=0"
    return house.run_jobs()


def cancel(house: House, booking: Booking) -> object:
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    return house.run_jobs()


def hear_of_it(house: House, booking: Booking) -> object:
    for event in house.events():
        house.post_event(event)
    return house.run_jobs()


def compare_at_night(house: House, booking: Booking) -> object:
    return tasks.reconcile_with_stripe()


PATHS = [charge_again, let_the_janitor_come, scan, cancel, hear_of_it, compare_at_night]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_leaves_a_charge_that_a_newer_release_has_begun(
    house: House, path: Callable[[House, Booking], object]
):
    booking = house.book_due()
    attempt = leave_confirming(house, booking)
    before = hand_to_a_newer_release(attempt)
    calls = house.calls().count(CONFIRM)

    path(house, booking)

    assert PaymentAttempt.objects.filter(pk=attempt.pk).values().get() == before
    assert house.calls().count(CONFIRM) == calls
    assert house.charges(booking) == []
    hand_back(attempt)


def test_a_charge_that_a_newer_release_has_begun_is_under_way(house: House):
    booking = house.book_due()
    hand_to_a_newer_release(attempt := leave_confirming(house, booking))

    assert house.charge(booking) == "processing"

    hand_back(attempt)


def test_a_page_that_a_newer_release_has_opened_is_left_to_it(house: House):
    booking = house.hold()
    house.arm(FaultKind.RESET_BEFORE, path=CREATE_SESSION)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)
    before = hand_to_a_newer_release(attempt := live_attempt(booking))

    with pytest.raises(NewerRelease):
        house.open_page(booking)

    assert PaymentAttempt.objects.filter(pk=attempt.pk).values().get() == before
    hand_back(attempt)
