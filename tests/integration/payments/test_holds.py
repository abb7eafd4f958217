"""A hold is a promise: whatever Stripe or the network does, it does not end before the hour shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bookings import tasks as booking_tasks
from bookings.exceptions import HoldExpired, StayUnavailable
from bookings.models import Booking, BookingStatus
from payments import services, tasks
from payments.exceptions import OutcomeUnknown, PayerEmailRefused, PaymentUnderWay, RequestRejected
from payments.ledger import outcomes
from payments.models import BookingAccount, GuestEmail, PaymentAttempt
from payments.policies import AttemptState, PaymentStatus
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, make_property, make_session
from tests.house import CREATE_SESSION, House, live_attempt

BAD_ADDRESS = '"a@b"@example.com'


def fail_to_open(house: House, booking: Booking, error: type[Exception]) -> None:
    with pytest.raises(error):
        house.open_page(booking)


def states(booking: Booking) -> list[str]:
    attempts = PaymentAttempt.objects.filter(payment__booking=booking).order_by("n")
    return list(attempts.values_list("state", flat=True))


def let_workers_run(house: House, *, minutes: int) -> None:
    for _ in range(minutes):
        house.wait(minutes=1)
        house.run_janitor()
        house.run_jobs()
        booking_tasks.mark_expired_holds()


def assert_is_kept(house: House, booking: Booking) -> None:
    booking.refresh_from_db()
    assert booking.status == BookingStatus.PENDING
    with pytest.raises(StayUnavailable):
        house.hold(home=booking.home)


def test_a_click_after_an_outage_of_stripe_opens_a_page(house: House):
    booking = house.hold()
    house.arm(FaultKind.UNAVAILABLE, path=CREATE_SESSION, count=6)
    fail_to_open(house, booking, OutcomeUnknown)
    let_workers_run(house, minutes=2)

    house.control.clear_faults()

    assert house.open_page(booking)
    assert states(booking)[-1] == AttemptState.OPEN


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.ERROR_AFTER, FaultKind.RESET_BEFORE])
def test_a_hold_outlives_every_fault_of_stripe_until_its_hour(house: House, kind: FaultKind):
    booking = house.hold()
    house.arm(kind, path="*", method="*", count=10_000)
    fail_to_open(house, booking, OutcomeUnknown)

    for _ in range(28):
        let_workers_run(house, minutes=1)
        assert_is_kept(house, booking)

    house.control.clear_faults()
    assert house.open_page(booking)


def test_a_clock_of_stripes_that_is_ahead_costs_an_attempt_and_no_night(house: House):
    house.control.set_clock_offset(seconds=600)
    booking = house.hold()

    fail_to_open(house, booking, RequestRejected)
    let_workers_run(house, minutes=10)

    assert states(booking) == [AttemptState.EXPIRED]
    assert_is_kept(house, booking)
    house.control.set_clock_offset(seconds=0)
    assert house.open_page(booking)


def test_a_web_process_that_died_before_the_call_costs_the_next_click_nothing(house: House):
    booking = house.hold()
    services._claim_page(booking, "https://reyes.example", house.now)
    let_workers_run(house, minutes=10)

    assert house.open_page(booking)
    assert states(booking) == [AttemptState.EXPIRED, AttemptState.OPEN]


def test_a_page_that_was_made_late_for_a_dead_attempt_is_shown_to_nobody(house: House):
    booking = house.hold()
    services._claim_page(booking, "https://reyes.example", house.now)
    attempt = live_attempt(booking)
    let_workers_run(house, minutes=3)

    late = outcomes.store_session(attempt_id=attempt.pk, session=make_session(attempt), now=house.now)

    assert (late.state, late.session_url) == (AttemptState.EXPIRED, "")


def test_a_hold_that_no_page_could_be_opened_for_ends_at_its_hour(house: House):
    home = make_property()
    booking = house.hold(home=home, email=BAD_ADDRESS)
    fail_to_open(house, booking, PayerEmailRefused)
    until = booking.hold_expires_at

    house.wait_until(until - timedelta(seconds=1))
    house.run_jobs()
    assert_is_kept(house, booking)
    house.wait_until(until)
    house.run_jobs()

    booking.refresh_from_db()
    assert (booking.status, booking.hold_expires_at) == (BookingStatus.EXPIRED, until)
    assert booking.payments.get().status == PaymentStatus.VOID
    assert BookingAccount.objects.get(booking=booking).due_minor == 0
    assert house.hold(home=home).status == BookingStatus.PENDING


def test_a_hold_that_the_next_guest_ended_owes_nothing_either(house: House):
    home = make_property()
    booking = house.hold(home=home, email=BAD_ADDRESS)
    fail_to_open(house, booking, PayerEmailRefused)

    house.wait(minutes=31)
    house.hold(home=home)
    house.run_jobs()

    assert booking.payments.get().status == PaymentStatus.VOID
    assert BookingAccount.objects.get(booking=booking).due_minor == 0


def test_refusals_do_not_prolong_a_hold_however_often_they_are_asked_for(house: House):
    booking = house.hold(email=BAD_ADDRESS)
    until = booking.hold_expires_at

    for _ in range(5):
        fail_to_open(house, booking, PayerEmailRefused)
        house.wait(minutes=4)

    booking.refresh_from_db()
    assert booking.hold_expires_at == until


def test_an_opened_page_prolongs_the_hold_to_its_own_end(house: House):
    booking = house.hold()
    house.wait(minutes=20)
    house.open_page(booking)

    booking.refresh_from_db()
    assert booking.hold_expires_at == live_attempt(booking).session_expires_at


def test_a_deposit_asked_for_too_late_leaves_no_obligation(house: House):
    booking = house.hold()
    house.wait(minutes=30)

    with pytest.raises(HoldExpired):
        house.open_page(booking)

    assert not booking.payments.exists()


def test_an_address_that_stripe_refuses_can_be_corrected_and_paid(house: House):
    booking = house.hold(email=BAD_ADDRESS)
    fail_to_open(house, booking, PayerEmailRefused)
    assert booking.payments.get().reason == "email_refused"

    services.correct_email(booking=booking, email="lucia@correo.example", base_url=BASE_URL, now=house.now)

    assert house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()
    booking.refresh_from_db()
    assert (booking.status, booking.guest_email) == (BookingStatus.CONFIRMED, "lucia@correo.example")


def test_an_address_is_corrected_while_a_page_is_open_and_not_while_the_bank_works(house: House):
    booking = house.hold()
    house.open_page(booking)

    services.correct_email(booking=booking, email="otra@correo.example", base_url=BASE_URL, now=house.now)

    booking.refresh_from_db()
    assert booking.guest_email == "otra@correo.example"
    assert GuestEmail.objects.filter(booking=booking, kind=GuestEmail.Kind.HOLD).exists()
    outcomes.record_session_processing(attempt_id=live_attempt(booking).pk, now=house.now)
    with pytest.raises(PaymentUnderWay):
        services.correct_email(booking=booking, email="x@correo.example", base_url=BASE_URL, now=house.now)


def test_nobody_is_written_to_without_end_by_correcting_addresses(house: House):
    booking = house.hold()

    for number in range(9):
        services.correct_email(
            booking=booking, email=f"victima{number}@correo.example", base_url=BASE_URL, now=house.now
        )

    assert GuestEmail.objects.filter(booking=booking).count() == services.MOST_HOLD_EMAILS


def test_a_link_to_a_balance_that_could_not_be_opened_is_opened_by_the_next_click(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    house.arm(FaultKind.UNAVAILABLE, path=CREATE_SESSION, count=6)
    fail_to_open(house, booking, OutcomeUnknown)
    house.wait(minutes=40)

    house.control.clear_faults()

    assert house.open_page(booking)


# --- Without the webhook ----------------------------------------------------------------------------------


def test_a_guest_who_has_paid_is_confirmed_a_minute_after_opening_the_page_without_any_webhook(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)

    house.wait(seconds=60)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_a_guest_who_comes_back_is_confirmed_at_once_without_any_webhook(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)

    for _ in range(3):
        services.look_at_pages(booking=booking)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_an_open_page_is_looked_at_again_and_again_but_seldom(house: House):
    booking = house.hold()
    house.open_page(booking)

    let_workers_run(house, minutes=34)
    assert house.calls("GET").count("checkout/sessions/cs") == 6
    house.pay_page(booking)
    let_workers_run(house, minutes=2)

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_looks_go_on_after_an_outage_of_stripe(house: House):
    booking = house.hold()
    house.open_page(booking)
    house.arm_everything_unavailable()
    let_workers_run(house, minutes=2)
    house.pay_page(booking)

    house.control.clear_faults()
    let_workers_run(house, minutes=3)

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED


def test_a_balance_paid_by_its_link_is_known_without_the_webhook_too(house: House):
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    house.open_page(booking)
    house.pay_page(booking)

    house.wait(seconds=60)
    house.run_jobs()

    assert not booking.payments.exclude(status=PaymentStatus.PAID).exists()


def test_a_look_at_nothing_says_so(house: House):
    assert tasks.look_at_payment_page(12_345) == "not_found"
