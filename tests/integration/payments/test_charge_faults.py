"""Charging while Stripe, or the way to it, fails: nothing is lost, nothing is taken twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from bookings.models import Booking
from payments import clocks, tasks
from payments.exceptions import (
    CardDeclined,
    ClocksDisagree,
    GatewayRefused,
    KeyReused,
    OutcomeUnknown,
    RequestRejected,
)
from payments.models import GuestEmail
from payments.policies import AttemptState, PaymentStatus
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.queues.control import list_queue_rules
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import balance_of
from tests.house import (
    CANCEL_INTENT,
    CONFIRM_INTENT,
    CREATE_INTENT,
    House,
    account_of,
    last_attempt,
    live_attempt,
)

DECLINED = "pm_card_chargeCustomerFail"
PASSING_FAULTS = [
    FaultKind.RESET_BEFORE,
    FaultKind.RESET_AFTER,
    FaultKind.UNAVAILABLE,
    FaultKind.RATE_LIMITED,
    FaultKind.LOCK_TIMEOUT,
    FaultKind.CONFLICT,
    FaultKind.ERROR_AFTER,
]
NO_FAULT_OF_THE_CARD = {PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN}


def intents_of(house: House, booking: Booking) -> list[str]:
    """Return the intents Stripe has for the balance of a booking."""
    keys = {str(attempt.key) for attempt in balance_of(booking).attempts.all()}
    listed = house.stripe.client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    return [intent.id for intent in listed if intent.to_dict()["metadata"].get("attempt") in keys]


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_a_fault_that_passes_costs_a_retry_and_no_peso(house: House, fault: FaultKind, path: str):
    booking = house.book_due()
    house.arm(fault, path=path)

    assert house.run_jobs().retried == 1
    assert balance_of(booking).status in NO_FAULT_OF_THE_CARD
    house.wait(seconds=30)
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]
    assert len(intents_of(house, booking)) == 1


@pytest.mark.parametrize("fault", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.ERROR_AFTER])
def test_a_fault_while_the_intent_is_cancelled_never_leaves_it_open(house: House, fault: FaultKind):
    booking = house.book_due(card=DECLINED)
    house.arm(fault, path=CANCEL_INTENT)

    assert house.run_jobs().retried == 1
    house.wait(seconds=30)
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.FAILED
    assert GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).count() == 1


def test_a_timeout_after_the_money_was_taken_is_an_unknown_outcome_until_the_janitor_asks(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    assert balance_of(booking).status == PaymentStatus.UNKNOWN
    assert live_attempt(booking).state == AttemptState.UNKNOWN

    house.wait(minutes=2)
    house.run_janitor()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_timeout_after_a_decline_is_learnt_as_a_decline_with_one_link(house: House):
    booking = house.book_due(card=DECLINED)
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    house.wait(minutes=2)
    house.run_janitor()
    house.run_janitor()
    house.run_jobs()

    assert balance_of(booking).status == PaymentStatus.FAILED
    assert last_attempt(balance_of(booking)).decline_code == "generic_decline"
    assert house.calls().count("payment_intents/pi/confirm") == 1
    assert sum("payment_link" in message.extra_headers["Message-ID"] for message in mail.outbox) == 1


def test_while_the_outcome_is_unknown_nobody_else_can_be_charged_for_the_balance(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    house.arm(FaultKind.UNAVAILABLE, path=f"{CREATE_INTENT}/*", method="GET", count=3)
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            house.charge(booking)

    assert balance_of(booking).attempts.count() == 1
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_500_that_took_the_money_is_not_confirmed_again(house: House):
    booking = house.book_due()
    house.arm(FaultKind.ERROR_AFTER, path=CONFIRM_INTENT)

    house.run_jobs()
    house.wait(seconds=30)
    house.run_jobs()

    assert house.calls().count("payment_intents/pi/confirm") == 1
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
def test_a_500_that_did_nothing_is_repeated_under_its_own_key_until_stripe_forgets_it(
    house: House, path: str
):
    booking = house.book_due()
    house.arm(FaultKind.ERROR_BEFORE, path=path)
    house.run_jobs()

    for _ in range(4):
        house.wait(minutes=20)
        house.run_janitor()
    assert balance_of(booking).status in NO_FAULT_OF_THE_CARD
    house.wait(hours=25)
    house.run_janitor()
    house.wait(hours=25)
    house.run_janitor()

    requests = [logged for logged in house.control.requests() if logged.status == 500]
    assert len({logged.idempotency_key for logged in requests}) == 1
    assert any(logged.is_replay for logged in requests)
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_an_intent_whose_key_stripe_has_forgotten_is_found_and_not_made_again(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CREATE_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    house.wait(hours=25)
    assert house.charge(booking) == "succeeded"

    assert len(intents_of(house, booking)) == 1


def test_a_confirmation_whose_key_stripe_has_forgotten_is_not_repeated(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    house.wait(hours=25)
    assert house.charge(booking) == "succeeded"

    assert house.calls().count("payment_intents/pi/confirm") == 1
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_stripe_asking_for_patience_delays_every_charge_and_loses_none(house: House):
    arrival = (house.now + timedelta(days=10)).date()
    bookings = [house.book(check_in=arrival) for _ in range(5)]
    house.wait_until(bookings[0].balance_due_at)
    house.arm(FaultKind.RATE_LIMITED, path="*", count=9)

    for _ in range(3):
        house.run_jobs()
        house.wait(seconds=30)
    house.run_jobs()

    assert [house.charges(booking) for booking in bookings] == [
        [booking.quote.balance_minor] for booking in bookings
    ]


def test_a_charge_that_met_four_faults_is_finished_by_the_janitor(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT, count=100)

    reports = []
    for _ in range(5):
        reports.append(house.run_jobs())
        house.wait(seconds=30)
    assert [(report.retried, report.failed) for report in reports] == [(1, 0), (1, 0), (1, 0), (0, 1), (0, 0)]
    house.control.clear_faults()
    house.wait(minutes=2)
    house.run_janitor()

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_another_request_under_a_used_key_is_refused_and_gets_no_new_key(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()
    house.arm(FaultKind.ERROR_BEFORE, path=CREATE_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    home = booking.home
    home.name = "Otro nombre"
    home.save()

    with pytest.raises(KeyReused):
        house.charge(booking)

    assert balance_of(booking).attempts.count() == 1
    assert balance_of(booking).status in NO_FAULT_OF_THE_CARD
    assert (
        len(
            {
                logged.idempotency_key
                for logged in house.control.requests()
                if logged.path == CREATE_INTENT and logged.method == "POST"
            }
            - {None}
        )
        == 1
    )
    house.wait(hours=25)
    assert house.charge(booking) == "succeeded"


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
def test_a_revoked_key_fails_no_payment_and_the_charge_goes_on_with_the_next_key(house: House, path: str):
    booking = house.book_due()
    house.arm(FaultKind.UNAUTHORIZED, path=path, count=2)

    with pytest.raises(GatewayRefused, match="request"):
        house.charge(booking)
    with pytest.raises(GatewayRefused):
        house.charge(booking)
    assert balance_of(booking).status in NO_FAULT_OF_THE_CARD
    assert not GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).exists()

    assert tasks.scan_and_charge_balances() == "enqueued=0", "its own job still waits"
    assert house.run_jobs().succeeded >= 1
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
def test_a_worker_that_meets_a_revoked_key_pauses_charging_and_costs_the_job_nothing(house: House, path: str):
    booking = house.book_due()
    house.arm(FaultKind.UNAUTHORIZED, path=path)

    house.run_jobs()
    (rule,) = [rule for rule in list_queue_rules() if rule.queue == "payments"]
    assert "STRIPE_SECRET_KEY" in rule.pause_reason
    assert house.charges(booking) == []

    pauses.resume_queue(queue="payments")
    house.wait(minutes=1)
    house.run_jobs()
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_nothing_is_charged_by_a_clock_that_is_wrong(house: House, monkeypatch: pytest.MonkeyPatch):
    booking = house.book_due()
    monkeypatch.setattr(clocks, "read_database_clock", lambda: timezone.now() - timedelta(seconds=61))
    with pytest.raises(ClocksDisagree, match=r"\+61 s .* time synchronisation"):
        house.charge(booking)
    assert house.charges(booking) == []

    monkeypatch.setattr(clocks, "read_database_clock", lambda: timezone.now() + timedelta(seconds=59))
    assert house.charge(booking) == "succeeded"


def test_a_card_that_is_declined_before_anything_was_created_leads_to_a_link(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    booking = house.book_due()

    def decline(request):
        raise CardDeclined(code="card_not_supported")

    with monkeypatch.context() as patch:
        patch.setattr(house.gateway, "create_intent", decline)
        assert house.charge(booking) == "failed"

    assert last_attempt(balance_of(booking)).proof
    assert GuestEmail.objects.filter(booking=booking, kind=GuestEmail.Kind.PAYMENT_LINK).exists()
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_charge_that_stripe_rejects_holds_no_money_for_ever(house: House, monkeypatch: pytest.MonkeyPatch):
    booking = house.book_due()

    def reject(request):
        raise RequestRejected(operation="create intent", detail="amount_too_large")

    with monkeypatch.context() as patch:
        patch.setattr(house.gateway, "create_intent", reject)
        with pytest.raises(RequestRejected):
            house.charge(booking)
        assert live_attempt(booking).state == AttemptState.CLAIMED
        house.wait(minutes=5)
        house.run_janitor()

    assert account_of(booking).in_flight_minor == 0
    assert last_attempt(balance_of(booking)).decline_code == "request_rejected"
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_customer_deleted_at_stripe_leads_to_a_link_that_works(house: House, is_resumed: bool):
    booking = house.book_due()
    if is_resumed:
        house.arm(FaultKind.RESET_BEFORE, path=CREATE_INTENT)
        with pytest.raises(OutcomeUnknown):
            house.charge(booking)
    house.stripe.client.v1.customers.delete(account_of(booking).stripe_customer_id)

    assert house.charge(booking) == "missing_method"
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_card_removed_at_stripe_leads_to_a_link_that_works(house: House, is_resumed: bool):
    booking = house.book_due()
    if is_resumed:
        house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT)
        with pytest.raises(OutcomeUnknown):
            house.charge(booking)
    house.stripe.client.v1.payment_methods.detach(account_of(booking).stripe_payment_method_id)

    assert house.charge(booking) == "missing_method"
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]
