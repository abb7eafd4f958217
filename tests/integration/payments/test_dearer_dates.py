"""A guest moves a stay to dearer nights: both are theirs while they pay, and one of the two is in the end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction

from bookings import policies as rules
from bookings.exceptions import HoldExpired, StayUnavailable
from bookings.models import Booking, DateChange, NightBlock, Quote
from payments.date_changes import change_dates, give_up_change, preview_change
from payments.exceptions import ChangeNeedsPayment, NothingToPay, PaymentUnderWay
from payments.models import GuestEmail, Payment, Refund
from payments.policies import PaymentKind, PaymentStatus
from payments.services import close_pages, request_cancellation
from reyes_estancias.local_stripe.control import ControlRefused
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, CREATE_SESSION, House, account_of, live_attempt

ARRIVAL = date(2026, 12, 10)
DECLINED = "pm_card_chargeCustomerFail"
OPEN = DateChange.State.OPEN


def ask(house: House, booking: Booking, *, nights: int, later: int = 0) -> Quote:
    """Ask for other dates like a guest who has read what they cost, and agrees."""
    booking = Booking.objects.get(pk=booking.pk)
    check_in = booking.quote.check_in + timedelta(days=later)
    dates = {"check_in": check_in, "check_out": check_in + timedelta(days=nights)}
    charge = preview_change(booking=booking, **dates, now=house.now).money.charge_minor
    quote = change_dates(
        booking=booking, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=house.now
    )
    booking.refresh_from_db()
    return quote


def surcharge_of(booking: Booking) -> Payment:
    return booking.payments.exclude(status__in=("paid", "void")).get(kind__in=("topup", "extension"))


def pay(house: House, booking: Booking, *, card: str = "pm_card_visa") -> None:
    house.open_page(booking)
    house.pay_page(booking, card=card)
    house.let_pages_be_looked_at()


def assert_untouched(booking: Booking, before: Booking) -> None:
    booking.refresh_from_db()
    assert (booking.quote_id, booking.arrival_at, booking.balance_due_at, booking.settled_at is None) == (
        before.quote_id,
        before.arrival_at,
        before.balance_due_at,
        before.settled_at is None,
    )
    assert booking.night_blocks.get(active=True).nights == booking.quote.nights
    assert not booking.changes.exists()
    assert not booking.date_changes.filter(state=OPEN).exists()


# --- A: the balance is unpaid -----------------------------------------------------------------------------


def test_the_deposit_is_topped_up_to_its_share_of_the_new_total_and_then_the_dates_apply(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    deposit = booking.quote.deposit_minor

    quote = ask(house, booking, nights=6, later=1)
    pay(house, booking)

    booking.refresh_from_db()
    assert booking.quote == quote
    assert house.charges(booking, PaymentKind.TOPUP) == [quote.deposit_minor - deposit]
    assert balance_of(booking).amount_minor == quote.total_minor - quote.deposit_minor
    assert booking.night_blocks.get(active=True).nights == quote.nights
    house.wait_until(booking.balance_due_at)
    house.run_jobs()
    assert house.taken(booking) == quote.total_minor


def test_until_it_is_paid_the_stay_is_as_it_was_and_both_sets_of_nights_are_the_guests(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)

    ask(house, booking, nights=4, later=10)

    booking.refresh_from_db()
    assert booking.quote_id == before.quote_id
    for taken in (ARRIVAL, ARRIVAL + timedelta(days=10)):
        with pytest.raises(StayUnavailable):
            house.hold(home=booking.home, check_in=taken)
    assert house.taken(booking) == booking.quote.deposit_minor


def test_the_database_lets_nobody_else_have_a_night_that_is_held_for_a_change(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    other = house.book(home=booking.home, check_in=ARRIVAL + timedelta(days=20), nights=3)
    quote = ask(house, booking, nights=4, later=10)

    with pytest.raises(IntegrityError, match="never_overlap"), transaction.atomic():
        NightBlock.objects.create(home=booking.home, booking=other, nights=quote.nights, created_at=house.now)


def test_what_is_not_paid_in_time_leaves_the_old_stay_untouched(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)
    balance = balance_of(booking)
    ask(house, booking, nights=4, later=10)

    house.wait(minutes=29)
    house.run_jobs()
    assert booking.date_changes.get().state == OPEN
    house.wait(minutes=1)
    house.run_jobs()

    assert_untouched(booking, before)
    assert balance_of(booking) == balance
    assert account_of(booking).owed_minor == booking.quote.total_minor
    assert house.hold(home=booking.home, check_in=ARRIVAL + timedelta(days=10))


def test_the_nights_stay_held_while_the_page_can_be_paid_and_not_a_minute_more(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)
    ask(house, booking, nights=4, later=10)
    house.wait(minutes=29)
    house.open_page(booking)

    house.wait(minutes=34)
    house.run_jobs()
    assert booking.date_changes.get().state == OPEN
    house.wait(minutes=2)
    house.run_jobs()

    assert_untouched(booking, before)
    with pytest.raises(NothingToPay):
        house.open_page(booking)


def test_a_page_is_not_opened_for_dates_whose_hour_is_over(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    ask(house, booking, nights=4, later=10)
    house.wait(minutes=30)

    with pytest.raises(HoldExpired):
        house.open_page(booking)


def test_a_payment_in_the_last_second_that_nobody_told_us_of_is_found_and_applied(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    quote = ask(house, booking, nights=4, later=10)
    house.open_page(booking)
    house.wait(minutes=34)
    house.pay_page(booking)
    house.wait(minutes=2)

    house.run_jobs()

    booking.refresh_from_db()
    assert booking.quote == quote


def test_a_declined_card_on_the_page_and_then_another_pays(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)
    quote = ask(house, booking, nights=4, later=10)
    house.open_page(booking)

    with pytest.raises(ControlRefused):
        house.pay_page(booking, card="pm_card_chargeDeclined")
    assert Booking.objects.get(pk=booking.pk).quote_id == before.quote_id
    assert house.charges(booking, PaymentKind.TOPUP) == []
    house.pay_page(booking, card="pm_card_mastercard")
    house.let_pages_be_looked_at()

    booking.refresh_from_db()
    assert booking.quote == quote
    assert len(house.charges(booking, PaymentKind.TOPUP)) == 1


@pytest.mark.parametrize("fault", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE, FaultKind.UNAVAILABLE])
def test_a_page_that_stripe_does_not_open_ends_no_change(house: House, fault: FaultKind):
    booking = house.book(check_in=ARRIVAL, nights=3)
    quote = ask(house, booking, nights=4, later=10)
    house.arm(fault, path=CREATE_SESSION)
    with pytest.raises(Exception, match=r"."):
        house.open_page(booking)
    house.wait(minutes=2)

    pay(house, booking)

    booking.refresh_from_db()
    assert booking.quote == quote
    assert len(house.charges(booking, PaymentKind.TOPUP)) == 1


def test_dearer_dates_of_which_the_deposit_is_there_already_are_applied_at_once(house: House):
    booking = house.book(check_in=ARRIVAL, nights=20)
    ask(house, booking, nights=8)  # Paid beyond its deposit by far.
    house.run_jobs()
    booking.refresh_from_db()
    paid = account_of(booking).paid_minor

    quote = ask(house, booking, nights=9)

    booking.refresh_from_db()
    assert booking.quote == quote
    assert balance_of(booking).amount_minor == quote.total_minor - paid


def test_nothing_is_charged_that_was_not_agreed_to(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)

    with pytest.raises(ChangeNeedsPayment):
        change_dates(
            booking=booking,
            check_in=ARRIVAL,
            check_out=ARRIVAL + timedelta(days=6),
            base_url=BASE_URL,
            agreed_charge_minor=1,
            now=house.now,
        )

    assert_untouched(booking, before)


# --- Another wish meanwhile -------------------------------------------------------------------------------


def test_other_dates_take_the_place_of_those_that_are_not_paid_yet(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    ask(house, booking, nights=4, later=10)

    quote = ask(house, booking, nights=5, later=20)
    pay(house, booking)

    booking.refresh_from_db()
    assert booking.quote == quote
    assert [change.state for change in booking.date_changes.order_by("pk")] == ["abandoned", "applied"]
    assert len(house.charges(booking, PaymentKind.TOPUP)) == 1


def test_a_guest_who_thinks_better_of_it_keeps_the_stay(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    before = Booking.objects.get(pk=booking.pk)
    ask(house, booking, nights=4, later=10)
    house.open_page(booking)
    with pytest.raises(PaymentUnderWay):
        give_up_change(booking=booking, now=house.now)

    close_pages(booking=booking, gateway=house.gateway, now=house.now)
    assert give_up_change(booking=booking, now=house.now)

    assert_untouched(booking, before)


def test_a_page_that_was_paid_meanwhile_is_not_closed_but_applied(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    quote = ask(house, booking, nights=4, later=10)
    house.open_page(booking)
    house.pay_page(booking)

    close_pages(booking=booking, gateway=house.gateway, now=house.now)

    assert not give_up_change(booking=booking, now=house.now)
    booking.refresh_from_db()
    assert booking.quote == quote


def test_cancelling_gives_the_held_nights_back_too(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    ask(house, booking, nights=4, later=10)
    house.open_page(booking)

    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    assert not booking.night_blocks.filter(active=True).exists()
    assert house.taken(booking) == 0
    assert account_of(booking).owed_minor == 0


@pytest.mark.parametrize("days_before", [8, 7])
def test_who_pays_and_cancels_at_once_gets_back_what_was_paid_for_dates_never_had(
    house: House, days_before: int
):
    booking = house.book(check_in=ARRIVAL, nights=3)
    house.wait_until(booking.arrival_at - timedelta(days=days_before))
    ask(house, booking, nights=4, later=10)
    house.open_page(booking)
    house.pay_page(booking)

    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.status == "cancelled"
    late = rules.share_half_up(booking.quote.total_minor, rules.LATE_CANCELLATION_BPS)
    assert house.taken(booking) == (0 if days_before == 8 else late)


def test_the_balance_is_not_charged_while_a_top_up_decides_how_much_it_is(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    house.wait_until(booking.balance_due_at - timedelta(minutes=5))
    ask(house, booking, nights=6)
    house.open_page(booking)
    house.wait(minutes=6)

    assert house.charge(booking) == "pending_topup"
    house.pay_page(booking)
    house.run_jobs()
    house.let_pages_be_looked_at()

    booking.refresh_from_db()
    assert house.taken(booking) == booking.quote.total_minor
    assert booking.quote.night_count == 6


# --- C1: the balance is paid ------------------------------------------------------------------------------


def paid_stay(house: House, *, nights: int = 3, card: str | None = None) -> Booking:
    booking = house.book_due(nights=nights)
    house.charge(booking)
    if card is not None:
        house.change_card(booking, card)
    return Booking.objects.get(pk=booking.pk)


def test_the_difference_is_charged_to_the_saved_card_and_then_the_dates_apply(house: House):
    booking = paid_stay(house)
    old_total = booking.quote.total_minor

    quote = ask(house, booking, nights=5)
    assert booking.settled_at is not None
    booking.refresh_from_db()
    assert booking.settled_at is None, "a stay that owes a difference is not completed"
    house.run_jobs()

    booking.refresh_from_db()
    assert booking.quote == quote
    assert house.charges(booking, PaymentKind.EXTENSION) == [quote.total_minor - old_total]
    assert booking.settled_at is not None
    assert house.taken(booking) == quote.total_minor


def test_a_card_that_says_no_leaves_a_link_and_its_page_pays(house: House):
    booking = paid_stay(house, card=DECLINED)
    quote = ask(house, booking, nights=5)
    house.run_jobs()
    assert surcharge_of(booking).status in (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)
    assert booking.emails.filter(kind=GuestEmail.Kind.PAYMENT_LINK, payment__kind="extension").exists()

    pay(house, booking, card="pm_card_mastercard")

    booking.refresh_from_db()
    assert booking.quote == quote
    assert house.taken(booking) == quote.total_minor


def test_a_card_that_says_no_and_nobody_pays_reverts_and_is_never_asked_again(house: House):
    booking = paid_stay(house, card=DECLINED)
    before = Booking.objects.get(pk=booking.pk)
    ask(house, booking, nights=5)
    house.run_jobs()

    house.wait(minutes=31)
    house.run_jobs()

    assert_untouched(booking, before)
    confirms = house.calls().count("payment_intents/pi/confirm")
    for _ in range(4):
        house.wait(hours=24)
        house.run_jobs()
    assert house.calls().count("payment_intents/pi/confirm") == confirms
    assert house.charges(booking, PaymentKind.EXTENSION) == []


def test_an_answer_that_never_came_holds_the_dates_until_stripe_says_what_became_of_it(house: House):
    booking = paid_stay(house)
    quote = ask(house, booking, nights=5)
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    house.run_jobs()

    house.wait(minutes=31)
    house.run_jobs()
    house.run_janitor()

    booking.refresh_from_db()
    assert booking.quote == quote
    assert len(house.charges(booking, PaymentKind.EXTENSION)) == 1


# --- C2: the balance is paid, and the new dates cost less -------------------------------------------------


def test_a_longer_stay_that_costs_less_gives_the_difference_back_newest_charge_first(house: House):
    booking = paid_stay(house, nights=29)
    old_total = booking.quote.total_minor
    balance = house.charges(booking)[0]

    quote = ask(house, booking, nights=30)
    house.run_jobs()

    assert quote.total_minor < old_total < quote.total_minor + balance
    assert house.refunds(booking) == [old_total - quote.total_minor]
    refunded = booking.payments.get(attempts__refunds__isnull=False)
    assert refunded.kind == PaymentKind.BALANCE
    assert house.taken(booking) == quote.total_minor


def test_an_extension_is_given_back_before_the_balance(house: House):
    booking = paid_stay(house, nights=28)
    ask(house, booking, nights=29)
    house.run_jobs()
    extension = house.charges(booking, PaymentKind.EXTENSION)[0]

    quote = ask(house, booking, nights=30)
    house.run_jobs()

    first, second = Refund.objects.order_by("pk")
    assert (first.attempt.payment.kind, first.amount_minor) == (PaymentKind.EXTENSION, extension)
    assert second.attempt.payment.kind == PaymentKind.BALANCE
    assert house.taken(booking) == quote.total_minor


# --- The guest is told ------------------------------------------------------------------------------------


def test_each_change_that_applies_is_mailed_once_with_both_prices(house: House, mailoutbox):
    booking = house.book(check_in=ARRIVAL, nights=3)
    quote = ask(house, booking, nights=6, later=1)
    house.run_jobs()
    assert not [mail for mail in mailoutbox if mail.subject.startswith("Tus nuevas fechas")]

    pay(house, booking)

    told = [mail for mail in mailoutbox if mail.subject.startswith("Tus nuevas fechas")]
    assert len(told) == 1
    assert f"{quote.total_minor / 100:,.2f}" in told[0].body


def test_what_is_asked_of_the_bank_waits_for_no_page_that_is_open(house: House):
    booking = house.book(check_in=ARRIVAL, nights=3)
    ask(house, booking, nights=4, later=10)
    house.open_page(booking)
    assert live_attempt(booking).payment.kind == PaymentKind.TOPUP
