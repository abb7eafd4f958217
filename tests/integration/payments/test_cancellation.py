"""A booking is cancelled: what the house keeps by the property's own calendar, and what moves for it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bookings.models import Booking, BookingStatus
from payments import tasks
from payments.date_changes import change_dates
from payments.exceptions import NothingToPay, OutcomeUnknown
from payments.models import GuestEmail, Refund
from payments.policies import PaymentKind, PaymentStatus, RefundState
from payments.services import request_cancellation
from procrastinate_tasks.jobs import deferring
from procrastinate_tasks.testing import refute_enqueued
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of, make_property
from tests.house import CANCEL_INTENT, CONFIRM_INTENT, CREATE_REFUND, House, account_of

DECLINED = "pm_card_chargeCustomerFail"
ARRIVAL = date(2026, 12, 10)
# The last moment of 2 December, eight days before arrival, and the first of 3 December, seven days before.
LAST_FREE_IN_MEXICO_CITY = datetime(2026, 12, 3, 5, 59, 59, tzinfo=UTC)
FIRST_COSTLY_IN_MEXICO_CITY = datetime(2026, 12, 3, 6, tzinfo=UTC)
LAST_FREE_IN_CANCUN = datetime(2026, 12, 3, 4, 59, 59, tzinfo=UTC)
FIRST_COSTLY_IN_CANCUN = datetime(2026, 12, 3, 5, tzinfo=UTC)
ARRIVAL_DAY_ENDS = datetime(2026, 12, 11, 5, 59, 59, tzinfo=UTC)
DAY_AFTER_ARRIVAL = datetime(2026, 12, 11, 6, tzinfo=UTC)


def cancel(house: House, booking: Booking) -> bool:
    return request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)


def book_at(house: House, timezone: str) -> Booking:
    return house.book(home=make_property(timezone=timezone), check_in=ARRIVAL)


@pytest.mark.parametrize(
    ("timezone", "instant", "share"),
    [
        ("America/Mexico_City", LAST_FREE_IN_MEXICO_CITY, 0),
        ("America/Mexico_City", FIRST_COSTLY_IN_MEXICO_CITY, 50),
        ("America/Cancun", LAST_FREE_IN_CANCUN, 0),
        ("America/Cancun", FIRST_COSTLY_IN_CANCUN, 50),
        ("America/Mexico_City", ARRIVAL_DAY_ENDS, 50),
        ("America/Mexico_City", DAY_AFTER_ARRIVAL, 100),
    ],
)
def test_what_the_house_keeps_follows_from_the_day_at_the_property(house: House, timezone, instant, share):
    booking = book_at(house, timezone)
    house.wait_until(instant)

    assert cancel(house, booking)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.taken(booking) == booking.quote.total_minor * share // 100
    assert account_of(booking).due_minor == 0


def test_a_free_cancellation_pays_the_deposit_back_once_and_takes_the_charge_away(house: House):
    booking = house.book(check_in=ARRIVAL)

    cancel(house, booking)
    house.run_jobs()
    house.run_jobs()

    assert house.refunds(booking) == [booking.quote.deposit_minor]
    refute_enqueued(tasks.charge_balance_for_booking)
    assert not booking.night_blocks.filter(active=True).exists()
    assert balance_of_or_none(booking) is None


def balance_of_or_none(booking: Booking) -> object:
    return booking.payments.filter(kind=PaymentKind.BALANCE).exclude(status=PaymentStatus.VOID).first()


def test_a_refund_does_not_wait_for_the_charge_that_is_scheduled_weeks_ahead(house: House):
    """In Procrastinate a future job with a lock holds back every later job with it."""
    keeps, leaves = house.book(check_in=ARRIVAL), house.book(check_in=ARRIVAL)

    cancel(house, leaves)
    house.run_jobs()

    assert house.taken(leaves) == 0
    assert house.taken(keeps) == keeps.quote.deposit_minor


def test_cancelling_twice_settles_once(house: House):
    booking = house.book(check_in=ARRIVAL)

    assert [cancel(house, booking) for _ in range(3)] == [True, False, False]
    house.run_jobs()
    assert not cancel(house, booking)
    assert tasks.settle_cancellation(booking.pk, BASE_URL) == "cancelled"
    house.run_jobs()

    assert house.refunds(booking) == [booking.quote.deposit_minor]
    assert GuestEmail.objects.filter(kind=GuestEmail.Kind.CANCELLED).count() == 1


def test_a_late_cancellation_charges_the_fee_to_the_saved_card_once(house: House):
    booking = house.book(check_in=ARRIVAL)
    house.wait_until(FIRST_COSTLY_IN_MEXICO_CITY)

    cancel(house, booking)
    house.run_jobs()
    house.run_jobs()

    half = booking.quote.total_minor // 2
    assert house.charges(booking, PaymentKind.FEE) == [half - booking.quote.deposit_minor]


def test_a_fee_the_card_does_not_pay_is_paid_through_the_link(house: House):
    booking = house.book(check_in=ARRIVAL)
    house.change_card(booking, DECLINED)
    house.wait_until(FIRST_COSTLY_IN_MEXICO_CITY)
    cancel(house, booking)
    house.run_jobs()
    assert booking.payments.get(kind=PaymentKind.FEE).status == PaymentStatus.FAILED

    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()

    assert house.taken(booking) == booking.quote.total_minor // 2


def test_a_stay_moved_to_a_later_date_last_week_is_not_cancelled_for_free(house: House):
    booking = house.book(check_in=ARRIVAL)
    house.wait_until(FIRST_COSTLY_IN_MEXICO_CITY)
    change_dates(
        booking=booking,
        check_in=date(2027, 1, 10),
        check_out=date(2027, 1, 13),
        base_url=BASE_URL,
        now=house.now,
    )

    cancel(house, booking)
    house.run_jobs()

    assert house.taken(booking) == booking.quote.total_minor // 2


def test_a_cancelled_hold_costs_nothing_and_its_page_is_closed(house: House):
    booking = house.hold(check_in=ARRIVAL)
    house.open_page(booking)

    cancel(house, booking)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.lines(booking) == []
    with pytest.raises(NothingToPay):
        house.open_page(booking)


def test_a_deposit_paid_while_its_hold_is_being_cancelled_is_paid_back(house: House):
    booking = house.hold(check_in=ARRIVAL)
    house.open_page(booking)
    cancel(house, booking)
    house.pay_page(booking)

    house.deliver_events()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.refunds(booking) == [booking.quote.deposit_minor]
    assert house.taken(booking) == 0


def test_a_charge_whose_outcome_is_unknown_is_resolved_before_the_cancellation_is_settled(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    cancel(house, booking)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED
    assert house.taken(booking) == booking.quote.total_minor, "after arrival the house keeps everything"
    assert not booking.payments.filter(kind=PaymentKind.FEE).exists()


def test_a_charge_that_took_nothing_is_cancelled_and_the_fee_takes_its_place(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)

    cancel(house, booking)
    house.run_jobs()

    assert house.charges(booking) == []
    assert house.charges(booking, PaymentKind.FEE) == [booking.quote.balance_minor]
    assert "payment_intents/pi/cancel" in house.calls()


def test_a_cancellation_waits_until_stripe_can_say_what_became_of_the_charge(house: House):
    booking = house.book()
    house.let_pages_be_looked_at()
    house.wait_until(booking.balance_due_at)
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    house.arm_everything_unavailable()

    cancel(house, booking)
    assert house.run_jobs().retried == 1
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CONFIRMED
    assert booking.night_blocks.filter(active=True).exists()

    house.control.clear_faults()
    house.wait(seconds=30)
    house.run_jobs()
    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELLED


def test_a_guest_who_cancels_gets_no_payment_link_for_the_balance_that_is_given_up(house: House):
    booking = house.book_due(card=DECLINED)
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    balance = balance_of(booking)

    cancel(house, booking)
    house.run_jobs()

    assert not GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK, payment=balance).exists()


@pytest.mark.parametrize("path", [CREATE_REFUND, CANCEL_INTENT, CONFIRM_INTENT])
@pytest.mark.parametrize("fault", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.RATE_LIMITED])
def test_a_settlement_under_faults_moves_the_same_money(house: House, path: str, fault: FaultKind):
    booking = house.book(check_in=ARRIVAL)
    house.arm(fault, path=path, count=2)

    cancel(house, booking)
    for _ in range(4):
        house.run_jobs()
        house.wait(minutes=4)

    assert house.refunds(booking) == [booking.quote.deposit_minor]
    assert Refund.objects.get().state == RefundState.SUCCEEDED


def test_a_paid_balance_is_kept_when_the_guest_leaves_early(house: House):
    booking = house.book_due()
    house.charge(booking)

    cancel(house, booking)
    house.run_jobs()

    assert house.taken(booking) == booking.quote.total_minor
    assert house.refunds(booking) == []


def test_a_booking_that_does_not_exist_is_not_settled(house: House):
    assert tasks.settle_cancellation(4_000_000_000, BASE_URL) == "not_found"


def test_a_fee_whose_job_was_lost_before_it_began_is_found_by_the_scan(house: House):
    booking = house.book(check_in=ARRIVAL)
    house.wait_until(FIRST_COSTLY_IN_MEXICO_CITY)
    cancel(house, booking)
    tasks.settle_cancellation(booking.pk, BASE_URL)
    fee = booking.payments.get(kind=PaymentKind.FEE)
    assert deferring.cancel(queueing_lock=f"charge-payment:{fee.pk}")

    assert [tasks.scan_and_charge_balances() for _ in range(2)] == ["enqueued=1", "enqueued=0"]
    house.run_jobs()

    assert house.charges(booking, PaymentKind.FEE) == [fee.amount_minor]
    assert tasks.scan_and_charge_balances() == "enqueued=0"
