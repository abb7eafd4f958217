"""Charging a balance: what is taken, when, and what is answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from django.core import mail

from payments import billing, tasks
from payments.date_changes import change_dates
from payments.gateway import Intent
from payments.models import BookingAccount, GuestEmail
from payments.policies import AttemptState, IntentStatus, PaymentKind, PaymentStatus
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CANCEL_INTENT, House, last_attempt

DECLINED = "pm_card_chargeCustomerFail"
ASKS_FOR_3DS = "pm_card_authenticationRequired"


def link_emails(house: House) -> list[str]:
    """Return the texts of the payment links that were sent."""
    house.run_jobs()
    return [
        str(message.body) for message in mail.outbox if "payment_link" in message.extra_headers["Message-ID"]
    ]


def test_a_due_balance_is_charged_once_by_the_job_that_waited_for_it(house: House):
    booking = house.book()
    house.wait_until(booking.balance_due_at)

    house.run_jobs()
    house.run_jobs()

    assert house.charges(booking) == [booking.quote.balance_minor]
    assert balance_of(booking).status == PaymentStatus.PAID


def test_a_charge_takes_an_unconfirmed_intent_stores_it_and_confirms_it(house: House):
    booking = house.book_due()
    before = len(house.calls())

    assert house.charge(booking) == "succeeded"

    assert house.calls()[before:] == ["payment_intents", "payment_intents/pi/confirm"]


def test_a_balance_is_not_charged_a_second_before_it_is_due(house: House):
    booking = house.book()
    house.wait_until(booking.balance_due_at)
    house.wait(seconds=-1)

    house.run_jobs()

    assert house.charge(booking) == "not_due"
    assert house.charges(booking) == []


def test_a_paid_balance_answers_already_paid_and_nothing_more_is_taken(house: House):
    booking = house.book_due()
    house.charge(booking)

    assert [house.charge(booking) for _ in range(3)] == ["already_paid"] * 3

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_booking_that_does_not_exist_answers_not_found(house: House):
    assert tasks.charge_balance_for_booking(4_000_000_000, BASE_URL) == "not_found"


def test_a_booking_that_vanished_while_its_job_waited_ends_its_job(house: House):
    tasks.charge_balance_for_booking.defer(booking_id=4_000_000_000, base_url=BASE_URL)

    report = house.run_jobs()

    assert (report.succeeded, report.failed, report.retried) == (1, 0, 0)


def test_a_hold_is_never_charged(house: House):
    booking = house.hold()
    house.wait(minutes=5)

    assert house.charge(booking) == "booking_not_confirmed"


def test_a_booking_whose_cancellation_was_asked_for_is_never_charged(house: House):
    booking = house.book_due()
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    assert house.charge(booking) == "booking_not_confirmed"
    assert house.charges(booking) == []


def test_a_booking_that_its_deposit_paid_in_full_answers_no_balance(house: House):
    booking = house.book(nights=40)
    arrival = booking.quote.check_in
    change_dates(
        booking=booking, check_in=arrival, check_out=arrival.replace(day=14), base_url=BASE_URL, now=house.now
    )
    booking.refresh_from_db()
    house.wait_until(booking.balance_due_at)

    assert house.charge(booking) == "no_balance"


def test_a_booking_with_an_unpaid_top_up_waits_for_it(house: House):
    booking = house.book_due()
    billing.open_obligation(booking=booking, kind=PaymentKind.TOPUP, amount_minor=5_000, now=house.now)

    assert house.charge(booking) == "pending_topup"
    assert house.charges(booking) == []


def test_a_booking_without_a_saved_card_answers_missing_method_and_sends_one_link(house: House):
    booking = house.book_due()
    BookingAccount.objects.filter(booking=booking).update(stripe_payment_method_id="")

    assert [house.charge(booking) for _ in range(2)] == ["missing_method"] * 2

    assert len(link_emails(house)) == 1


@pytest.mark.parametrize(
    ("card", "answer", "status"),
    [
        (DECLINED, "failed", PaymentStatus.FAILED),
        ("pm_card_chargeDeclinedInsufficientFunds", "failed", PaymentStatus.FAILED),
        ("pm_card_chargeDeclinedStolenCard", "failed", PaymentStatus.FAILED),
        ("pm_card_chargeDeclinedExpiredCard", "failed", PaymentStatus.FAILED),
        (ASKS_FOR_3DS, "requires_action", PaymentStatus.REQUIRES_ACTION),
    ],
)
def test_a_card_that_does_not_pay_is_asked_once_and_the_guest_gets_one_link(
    house: House, card, answer, status
):
    booking = house.book_due(card=card)

    assert [house.charge(booking) for _ in range(3)] == [answer] * 3

    assert balance_of(booking).status == status
    assert house.calls().count("payment_intents/pi/confirm") == 1
    (text,) = link_emails(house)
    assert BASE_URL + booking.get_absolute_url() in text


@pytest.mark.parametrize("card", [DECLINED, ASKS_FOR_3DS])
def test_the_intent_is_cancelled_before_the_guest_hears_of_a_payment_link(
    house: House, card, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due(card=card)
    cancel_intent = house.gateway.cancel_intent
    links_at_cancel: list[int] = []

    def watch(**call: str) -> Intent:
        links_at_cancel.append(GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).count())
        return cancel_intent(**call)

    monkeypatch.setattr(house.gateway, "cancel_intent", watch)
    house.charge(booking)

    assert links_at_cancel == [0]
    assert GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).count() == 1
    attempt = last_attempt(balance_of(booking))
    assert attempt.state == AttemptState.DECLINED
    assert attempt.proof == f"{attempt.stripe_intent_id} canceled"
    assert house.gateway.retrieve_intent(attempt.stripe_intent_id or "").status == IntentStatus.CANCELED


def test_no_link_is_sent_while_it_is_not_proven_that_the_intent_is_cancelled(house: House):
    house.book_due(card=DECLINED)
    house.arm(FaultKind.RESET_BEFORE, path=CANCEL_INTENT, count=100)

    house.run_jobs()
    house.wait(seconds=30)
    house.run_jobs()
    assert link_emails(house) == []

    house.control.clear_faults()
    house.wait(seconds=30)
    house.run_jobs()
    assert len(link_emails(house)) == 1


def test_a_charge_the_bank_is_still_thinking_about_is_paid_once_the_bank_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    confirm_intent = house.gateway.confirm_intent
    with monkeypatch.context() as patched:
        patched.setattr(
            house.gateway,
            "confirm_intent",
            lambda **call: replace(confirm_intent(**call), status=IntentStatus.PROCESSING),
        )
        assert house.charge(booking) == "processing"
    assert balance_of(booking).status == PaymentStatus.PROCESSING

    house.wait(minutes=2)
    house.run_janitor()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.calls().count("payment_intents/pi/confirm") == 1


def test_an_intent_that_succeeds_when_it_is_created_is_recorded_without_a_confirmation(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    create_intent = house.gateway.create_intent

    def create_and_confirm(request):
        intent = create_intent(request)
        return house.gateway.confirm_intent(intent_id=intent.id, attempt_key=request.attempt_key)

    monkeypatch.setattr(house.gateway, "create_intent", create_and_confirm)

    assert house.charge(booking) == "succeeded"
    assert house.calls().count("payment_intents/pi/confirm") == 1
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_cancellation_between_the_claim_and_the_confirmation_stops_the_charge(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    create_intent = house.gateway.create_intent

    def cancel_meanwhile(request):
        request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
        return create_intent(request)

    monkeypatch.setattr(house.gateway, "create_intent", cancel_meanwhile)

    assert house.charge(booking) == "booking_not_confirmed"
    assert house.charges(booking) == []


def test_the_guest_gets_one_receipt_for_a_charged_balance(house: House):
    booking = house.book_due()

    house.charge(booking)
    house.run_jobs()
    house.run_jobs()

    receipts = [message for message in mail.outbox if "receipt" in message.extra_headers["Message-ID"]]
    assert [message.to for message in receipts] == [[booking.guest_email]]


def test_the_saved_card_is_charged_even_after_the_stay_was_completed_elsewhere(house: House):
    """Bookings marked at 3:00 whose balance was then never collected were a fault of the old system."""
    booking = house.book_due(check_in=date(2026, 11, 20), nights=2)
    house.wait_until(booking.departure_at)
    house.wait(days=30)

    assert house.charge(booking) == "succeeded"
