"""The link a guest gets: one page at a time, paid once, whatever else wants to charge."""

from __future__ import annotations

import pytest

from bookings.models import BookingStatus
from payments import tasks
from payments.exceptions import NothingToPay, OutcomeUnknown, PaymentUnderWay
from payments.models import PaymentAttempt
from payments.policies import AttemptState, Channel, PaymentKind, PaymentStatus
from payments.services import request_cancellation
from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, CREATE_SESSION, House, last_attempt, live_attempt

DECLINED = "pm_card_chargeCustomerFail"
ASKS_FOR_3DS = "pm_card_authenticationRequired"


@pytest.mark.parametrize("card", [DECLINED, ASKS_FOR_3DS])
def test_the_link_leads_to_one_live_page_however_often_it_is_followed(house: House, card: str):
    booking = house.book_due(card=card)
    house.charge(booking)

    pages = {house.open_page(booking) for _ in range(4)}

    assert pages == {live_attempt(booking).session_url}
    assert PaymentAttempt.objects.filter(channel=Channel.CHECKOUT, payment=balance_of(booking)).count() == 1


def test_a_balance_is_paid_through_the_link(house: House):
    booking = house.book_due(card=ASKS_FOR_3DS)
    house.charge(booking)
    house.open_page(booking)

    house.pay_page(booking, card="pm_card_authenticationRequired")
    house.deliver_events()

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]
    with pytest.raises(NothingToPay):
        house.open_page(booking)


def test_a_balance_paid_through_the_link_is_not_charged_to_the_saved_card_nor_scheduled_again(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    house.open_page(booking)
    house.pay_page(booking)
    house.change_card(booking, "pm_card_visa")

    assert house.charge(booking) == "requires_action", "the site does not know yet, and the page is live"
    house.deliver_events()

    assert tasks.scan_and_charge_balances() == "enqueued=0"
    assert house.charge(booking) == "already_paid"
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_page_open_in_two_tabs_takes_one_of_two_cards(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    house.open_page(booking)
    session_id = live_attempt(booking).stripe_session_id or ""

    house.control.complete_session(session_id, card="pm_card_visa")
    with pytest.raises(ControlRefused):
        house.control.complete_session(session_id, card="pm_card_mastercard")
    house.deliver_events()

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_page_whose_time_ran_out_gives_way_to_a_new_one(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    old = house.open_page(booking)
    house.wait(minutes=36)
    house.run_janitor()
    assert last_attempt(balance_of(booking)).state == AttemptState.EXPIRED

    new = house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert new != old
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_card_declined_on_the_page_leaves_the_page_open(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    page = house.open_page(booking)

    with pytest.raises(ControlRefused, match="402"):
        house.pay_page(booking, card="pm_card_chargeDeclined")
    house.deliver_events()

    assert house.open_page(booking) == page
    assert house.charges(booking) == []


def test_no_page_opens_while_the_saved_card_may_have_been_charged(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    with pytest.raises((NothingToPay, PaymentUnderWay)):
        house.open_page(booking)

    assert CREATE_SESSION.removeprefix("/v1/") not in house.calls()[-1:]


def test_no_page_opens_for_a_booking_whose_cancellation_was_asked_for(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    with pytest.raises(NothingToPay):
        house.open_page(booking)


def test_a_page_that_was_open_when_the_booking_was_cancelled_is_closed(house: House):
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    house.open_page(booking)
    session_id = live_attempt(booking).stripe_session_id or ""

    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    with pytest.raises(ControlRefused):
        house.control.complete_session(session_id)


def test_what_is_paid_on_a_page_while_its_booking_is_being_cancelled_counts_once(house: House):
    booking = house.book_due(card=ASKS_FOR_3DS)
    house.charge(booking)
    house.open_page(booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)

    house.pay_page(booking, card=ASKS_FOR_3DS)
    house.run_jobs()
    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.taken(booking) == booking.quote.total_minor, "after arrival the house keeps everything"
    assert not booking.payments.filter(kind=PaymentKind.FEE).exists()
    house.assert_invariants()


def test_a_second_page_request_meets_the_page_the_first_could_not_store(house: House):
    """A worker that dies between Stripe's answer and its own commit shows the page to nobody."""
    booking = house.book_due(card=DECLINED)
    house.charge(booking)
    house.arm(FaultKind.RESET_AFTER, path=CREATE_SESSION)
    with pytest.raises(OutcomeUnknown):
        house.open_page(booking)

    house.wait(minutes=2)
    house.run_janitor()
    page = house.open_page(booking)

    assert page == live_attempt(booking).session_url
    open_sessions = house.stripe.client.v1.checkout.sessions.list({"status": "open"}).data
    assert [session.id for session in open_sessions] == [live_attempt(booking).stripe_session_id]
