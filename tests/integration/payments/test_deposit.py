"""The deposit confirms the booking, saves the card and puts the balance on its way; and holds end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from bookings import tasks as booking_tasks
from bookings.exceptions import StayUnavailable
from bookings.models import Booking, BookingStatus
from payments import driver, tasks
from payments.deferred_jobs import unschedule
from payments.exceptions import NothingToPay
from payments.policies import AttemptState, PaymentKind, PaymentStatus
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.testing import assert_enqueued, refute_enqueued
from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of, make_property
from tests.house import House, account_of, live_attempt


def test_a_paid_deposit_confirms_the_booking_saves_the_card_and_defers_the_charge(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)

    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED
    assert house.charges(booking, PaymentKind.DEPOSIT) == [booking.quote.deposit_minor]
    assert balance_of(booking).amount_minor == booking.quote.balance_minor
    account = account_of(booking)
    card = house.stripe.client.v1.payment_methods.retrieve(account.stripe_payment_method_id)
    assert card.customer == account.stripe_customer_id
    assert_enqueued(
        tasks.charge_balance_for_booking,
        {"booking_id": booking.pk, "base_url": BASE_URL},
        scheduled_at=booking.balance_due_at,
    )
    assert [message.to for message in mail.outbox] == [[booking.guest_email]]


def test_a_confirmation_that_is_rolled_back_leaves_neither_booking_nor_balance_nor_job(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    attempt = live_attempt(booking)

    with transaction.atomic():
        driver.refresh(attempt=attempt, intent_id="", gateway=house.gateway, now=house.now)
        assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": booking.pk})
        transaction.set_rollback(True)

    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING
    assert not booking.payments.filter(kind=PaymentKind.BALANCE).exists()
    refute_enqueued(tasks.charge_balance_for_booking)
    house.deliver_events()


def test_a_charge_that_waits_already_does_not_spoil_the_confirmation(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    first = defer(
        tasks.charge_balance_for_booking.name,
        {"booking_id": booking.pk, "base_url": BASE_URL},
        queueing_lock=f"charge:{booking.pk}",
        schedule_at=booking.balance_due_at,
    )

    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED
    assert assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": booking.pk}).id == first


def test_the_deposit_page_is_one_page_however_often_it_is_asked_for(house: House):
    booking = house.hold()

    pages = {house.open_page(booking) for _ in range(5)}

    assert len(pages) == 1
    assert house.calls().count("checkout/sessions") == 1


def test_backing_out_of_the_page_and_coming_back_changes_nothing(house: House):
    booking = house.hold()
    page = house.open_page(booking)
    house.wait(minutes=10)

    assert house.open_page(booking) == page

    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING


def test_a_deposit_paid_after_the_hold_ran_out_but_before_its_page_did_confirms_the_booking(house: House):
    booking = house.hold()
    house.wait(minutes=29)
    house.open_page(booking)
    house.wait(minutes=30)
    booking_tasks.mark_expired_holds()

    house.pay_page(booking)
    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_a_hold_being_paid_is_released_only_once_stripe_says_its_page_is_closed(house: House):
    home = make_property()
    booking = house.hold(home=home)
    house.open_page(booking)
    house.wait(minutes=36)

    assert booking_tasks.mark_expired_holds() == "holds_expired=0"
    with pytest.raises(StayUnavailable):
        house.hold(home=home)
    house.run_janitor()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.EXPIRED
    assert "expired" in booking.night_blocks.get().release_proof
    assert house.hold(home=home).status == BookingStatus.PENDING


def test_a_hold_is_not_released_while_stripe_cannot_be_asked(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.wait(minutes=36)
    house.arm_everything_unavailable()

    house.run_janitor()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING
    assert booking.night_blocks.get().active


def test_a_page_that_outlives_its_hold_at_stripe_is_closed_before_the_nights_are_released(house: House):
    """The clock of the local Stripe is ten minutes behind ours: there the page is still open."""
    house.control.set_clock_offset(seconds=-600)
    booking = house.hold()
    house.open_page(booking)
    session_id = live_attempt(booking).stripe_session_id or ""
    house.wait(minutes=36)

    house.run_janitor()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.EXPIRED
    with pytest.raises(ControlRefused):
        house.control.complete_session(session_id)


def test_a_page_that_was_paid_at_the_last_moment_wins_over_its_expiry(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.wait(minutes=34, seconds=59)
    house.pay_page(booking)
    house.wait(minutes=10)

    booking_tasks.mark_expired_holds()
    house.run_janitor()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_an_expired_hold_cannot_be_paid_any_more(house: House):
    booking = house.hold()
    house.wait(minutes=30)
    booking_tasks.mark_expired_holds()

    with pytest.raises(NothingToPay):
        house.open_page(booking)

    assert house.calls() == []


def test_a_hold_whose_page_was_never_opened_is_released_by_the_clock(house: House):
    held = [house.hold() for _ in range(3)]
    house.wait(minutes=30)

    assert booking_tasks.mark_expired_holds() == "holds_expired=3"
    assert booking_tasks.mark_expired_holds() == "holds_expired=0"

    assert set(Booking.objects.values_list("status", flat=True)) == {BookingStatus.EXPIRED}
    assert len(held) == 3


def test_a_deposit_page_whose_address_was_never_stored_is_stored_by_the_janitor(house: House):
    booking = house.hold()
    house.arm(FaultKind.RESET_AFTER, path="/v1/checkout/sessions")
    with pytest.raises(Exception, match="create session"):
        house.open_page(booking)

    house.wait(minutes=2)
    house.run_janitor()

    assert live_attempt(booking).state == AttemptState.OPEN
    assert house.calls("POST").count("checkout/sessions") == 1


def test_the_balance_falls_due_48_hours_after_check_in_at_the_propertys_time(house: House):
    booking = house.book(home=make_property(timezone="America/Cancun"))
    arrival = booking.quote.check_in

    assert booking.balance_due_at.isoformat() == f"{arrival + timedelta(days=2)}T20:00:00+00:00"


def test_two_bookings_do_not_share_a_charge_job(house: House):
    first, second = house.book(), house.book()

    unschedule(booking=first)

    refute_enqueued(tasks.charge_balance_for_booking, {"booking_id": first.pk})
    assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": second.pk})


def test_a_card_that_asks_for_its_owner_at_the_deposit_pays_the_balance_alone_later(house: House):
    booking = house.book(card="pm_card_authenticationRequiredOnSetup")
    house.wait_until(booking.balance_due_at)

    assert house.charge(booking) == "succeeded"


def test_a_declined_deposit_leaves_the_hold_and_its_page_as_they_were(house: House):
    booking = house.hold()
    page = house.open_page(booking)

    with pytest.raises(ControlRefused, match="402"):
        house.pay_page(booking, card="pm_card_chargeDeclined")
    house.deliver_events()

    assert house.open_page(booking) == page
    assert booking.payments.get().status == PaymentStatus.PENDING
