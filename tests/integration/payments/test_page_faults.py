"""Opening a payment page while Stripe fails: the guest gets one page in the end, and the nights stay held."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.utils import translation

from bookings import tasks as booking_tasks
from bookings.models import Booking, BookingStatus, Property
from payments.exceptions import ObjectMissing, OutcomeUnknown
from payments.models import Payment
from payments.policies import AttemptState, PaymentKind
from reyes_estancias.local_stripe.faults import FaultKind
from tests.house import CREATE_SESSION, House, account_of, live_attempt

DECLINED = "pm_card_chargeCustomerFail"


def rename_home(booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    Property.objects.filter(pk=booking.home.pk).update(name="Casa de los Azulejos")


def call_the_deposit_otherwise(booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a release does whose catalogue has another word."""
    monkeypatch.setattr(Payment, "get_kind_display", lambda payment: "Pago inicial")


def sign_links_with_another_key(booking: Booking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECRET_KEY", "another-key-of-this-test")


@pytest.mark.parametrize("fault", [FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.UNAVAILABLE])
def test_a_payment_page_whose_creation_got_no_answer_is_the_one_the_guest_gets_next(house: House, fault):
    booking = house.hold()
    house.arm(fault, path=CREATE_SESSION)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)

    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert len(house.stripe.client.v1.checkout.sessions.list().data) == 1
    assert house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]


@pytest.mark.parametrize("rename", [rename_home, call_the_deposit_otherwise, sign_links_with_another_key])
def test_a_page_that_would_be_asked_for_otherwise_by_now_is_the_one_that_was_made(
    house: House, rename: Callable[[Booking, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
):
    booking = house.hold()
    house.arm(FaultKind.RESET_AFTER, path=CREATE_SESSION)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)
    rename(booking, monkeypatch)

    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert len(house.stripe.client.v1.checkout.sessions.list().data) == 1
    assert house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]


@pytest.mark.parametrize("fault", [FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER])
def test_a_payment_page_that_answers_500_for_ever_keeps_the_nights_until_it_is_proven_dead(
    house: House, fault
):
    booking = house.hold()
    house.arm(fault, path=CREATE_SESSION)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            house.open_page(booking)
    house.wait(minutes=29)
    house.run_janitor()
    booking_tasks.mark_expired_holds()
    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING

    house.wait(minutes=40)
    house.run_janitor()
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.EXPIRED


def test_a_customer_deleted_after_the_decline_costs_the_guest_a_second_click(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    house.stripe.client.v1.customers.delete(account_of(booking).stripe_customer_id)

    with pytest.raises(ObjectMissing):
        house.open_page(booking)
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_page_asked_for_in_english_is_resumed_by_a_worker_that_speaks_spanish(house: House):
    """What is asked under an idempotency key must not depend on who asks."""
    booking = house.hold()
    house.arm(FaultKind.RESET_AFTER, path=CREATE_SESSION)
    with translation.override("en"), pytest.raises(OutcomeUnknown):
        house.open_page(booking)

    house.wait(minutes=2)
    with translation.override("es-mx"):
        house.run_janitor()

    assert live_attempt(booking).state == AttemptState.OPEN
