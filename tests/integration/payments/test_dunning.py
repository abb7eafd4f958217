"""A card that said no is asked again by the steps of the house, found by its row, and at most once paid."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from bookings.models import Booking
from payments import driver, tasks
from payments.date_changes import change_dates
from payments.dunning_policies import MOST_STEPS, DeclineClass
from payments.exceptions import OutcomeUnknown
from payments.ledger import claims, locking
from payments.models import Dunning, GuestEmail, PaymentAttempt
from payments.policies import AttemptState, Channel, PaymentKind, PaymentStatus
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import CANCEL_INTENT, CONFIRM_INTENT, House, last_attempt, live_attempt
from tests.integration.pages import read

GOOD = "pm_card_visa"
NO_FUNDS = "pm_card_chargeDeclinedInsufficientFunds"
SOFT = [NO_FUNDS, "pm_card_chargeDeclinedProcessingError", "pm_card_chargeDeclined"]
HARD = ["pm_card_chargeDeclinedLostCard", "pm_card_chargeDeclinedStolenCard"]
DATA = [
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_chargeDeclinedIncorrectCvc",
    "pm_card_authenticationRequired",
]


@pytest.fixture(autouse=True)
def _addresses(settings) -> None:
    settings.SITE_BASE_URL = BASE_URL


def refuse(house: House, card: str = NO_FUNDS) -> Booking:
    """Return a booking whose balance was just declined for the first time."""
    booking = house.book_due(card=card)
    house.run_jobs()
    assert balance_of(booking).status in (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION)
    return booking


def row_of(booking: Booking) -> Dunning:
    return Dunning.objects.get(payment=balance_of(booking))


def next_at(booking: Booking) -> datetime:
    at = row_of(booking).next_at
    assert at is not None
    return at


def scan(house: House) -> str:
    found = tasks.scan_and_charge_balances()
    house.run_jobs()
    return found


def go_to_next_try(house: House, booking: Booking) -> None:
    house.wait_until(next_at(booking))
    assert scan(house) == "enqueued=1"


def live_through(house: House, *, days: int) -> None:
    """Let days pass with the scan at work, once a day: most of its runs come between two tries."""
    for _ in range(days):
        house.wait(days=1)
        scan(house)


def tries(house: House) -> int:
    return house.calls().count("payment_intents/pi/confirm")


def links() -> list[str]:
    return [
        str(message.body) for message in mail.outbox if "payment_link" in message.extra_headers["Message-ID"]
    ]


def dispute(house: House, booking: Booking) -> str:
    intent = booking.payments.get(kind=PaymentKind.DEPOSIT).attempts.get(state="succeeded").stripe_intent_id
    dispute_id = house.control.open_dispute(intent or "")
    house.deliver_events()
    return dispute_id


# --- Soft, hard, data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", SOFT)
def test_a_soft_decline_is_tried_again_and_paid_once_when_there_are_funds(house: House, card: str):
    booking = refuse(house, card)
    assert next_at(booking) == house.now + timedelta(hours=6)
    go_to_next_try(house, booking)
    assert next_at(booking) == house.now + timedelta(hours=24)
    house.change_card(booking, GOOD)

    live_through(house, days=30)

    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]
    assert tries(house) == 3
    assert row_of(booking).next_at is None
    assert len(links()) == 2


@pytest.mark.parametrize("card", HARD + DATA)
def test_a_hard_decline_and_one_that_needs_the_guest_are_never_tried_again(house: House, card: str):
    booking = refuse(house, card)

    live_through(house, days=30)

    assert tries(house) == 1
    assert row_of(booking).next_at is None
    assert row_of(booking).decline_class == (DeclineClass.HARD if card in HARD else DeclineClass.DATA)
    assert len(links()) == 1
    assert "volvemos a" not in links()[0]


def test_a_card_that_always_says_no_is_asked_seven_times_and_then_no_more(house: House):
    booking = refuse(house)

    live_through(house, days=75)

    assert tries(house) == 7 <= MOST_STEPS
    assert row_of(booking).step == 7
    assert row_of(booking).next_at is None
    assert len(links()) == len(set(links())) == 7
    assert house.charges(booking) == []
    attempts = balance_of(booking).attempts.all()
    assert {attempt.state for attempt in attempts} == {AttemptState.DECLINED}
    assert len({attempt.stripe_intent_id for attempt in attempts}) == 7, "each try has an intent of its own"
    assert house.charge(booking) == "failed", "nor by hand"


def test_the_fourth_try_is_at_noon_of_a_payday_by_the_clock_of_the_house(house: House):
    booking = refuse(house)
    for _ in range(3):
        go_to_next_try(house, booking)

    local = next_at(booking).astimezone(booking.home.tz)

    assert local.hour == 12
    assert local.day == 15 or (local + timedelta(days=1)).day == 1
    assert local - house.now > timedelta(hours=6)


def test_a_soft_decline_that_turns_hard_ends_the_tries(house: House):
    booking = refuse(house)
    house.change_card(booking, HARD[0])
    go_to_next_try(house, booking)

    live_through(house, days=30)

    assert tries(house) == 2
    assert row_of(booking).last_code == "lost_card"


def test_the_banks_advice_weighs_as_much_as_its_code(house: House):
    booking = refuse(house)

    assert last_attempt(balance_of(booking)).advice_code == "try_again_later"


def test_a_fee_that_was_declined_is_tried_again_too(house: House):
    booking = house.book(nights=4)
    house.wait_until(booking.arrival_at)
    house.change_card(booking, NO_FUNDS)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.run_jobs()
    fee = booking.payments.get(kind=PaymentKind.FEE)
    assert fee.status == PaymentStatus.FAILED

    house.change_card(booking, GOOD)
    live_through(house, days=2)

    fee.refresh_from_db()
    assert fee.status == PaymentStatus.PAID
    assert house.charges(booking, PaymentKind.FEE) == [fee.amount_minor]


# --- The guest's page and a try that is due ----------------------------------------------------------------


def test_a_try_that_is_due_closes_the_guests_page_first(house: House):
    booking = refuse(house)
    house.change_card(booking, GOOD)
    house.wait_until(next_at(booking))
    house.open_page(booking)
    page = live_attempt(booking)

    scan(house)

    page.refresh_from_db()
    assert (page.state, page.proof) == (AttemptState.EXPIRED, f"{page.stripe_session_id} expired")
    assert balance_of(booking).status == PaymentStatus.PAID
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_try_that_finds_the_page_paid_takes_the_page_for_the_payment(house: House):
    booking = refuse(house)
    house.change_card(booking, GOOD)
    house.wait_until(next_at(booking))
    house.open_page(booking)
    house.pay_page(booking)

    assert house.charge(booking) == "already_paid", "the site was not told, and asked"

    assert house.charges(booking) == [booking.quote.balance_minor]
    assert balance_of(booking).attempts.get(state=AttemptState.SUCCEEDED).channel == Channel.CHECKOUT


def test_a_page_that_is_paid_while_it_is_being_closed_is_paid_once(house: House, monkeypatch):
    booking = refuse(house)
    house.change_card(booking, GOOD)
    house.wait_until(next_at(booking))
    house.open_page(booking)
    expire = house.gateway.expire_session

    def pay_before(session_id: str):
        house.control.complete_session(session_id, card=GOOD)
        return expire(session_id)

    monkeypatch.setattr(house.gateway, "expire_session", pay_before)

    assert house.charge(booking) == "already_paid"
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_page_that_is_opened_between_closing_and_claiming_is_left_to_the_guest(house: House, monkeypatch):
    booking = refuse(house)
    house.change_card(booking, GOOD)
    house.wait_until(next_at(booking))
    house.open_page(booking)
    close = driver.close

    def open_another(**kwargs: object) -> PaymentAttempt:
        closed = close(**kwargs)  # type: ignore[arg-type]
        house.open_page(booking)
        return closed

    with monkeypatch.context() as patch:
        patch.setattr(driver, "close", open_another)
        assert house.charge(booking) == "requires_action"
    house.pay_page(booking)

    assert house.charge(booking) == "already_paid"
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_page_stays_open_while_no_try_is_due(house: House):
    booking = refuse(house)
    page = house.open_page(booking)

    assert scan(house) == "enqueued=0"
    assert house.charge(booking) == "requires_action"

    assert house.open_page(booking) == page


def test_paying_by_the_link_between_two_tries_ends_them(house: House):
    booking = refuse(house)
    go_to_next_try(house, booking)
    house.open_page(booking)
    house.pay_page(booking)
    house.deliver_events()
    house.change_card(booking, GOOD)

    live_through(house, days=30)

    assert house.charges(booking) == [booking.quote.balance_minor]
    assert row_of(booking).next_at is None
    assert tries(house) == 2


def test_a_page_whose_time_ran_out_does_not_end_the_tries(house: House):
    booking = refuse(house)
    house.open_page(booking)
    house.wait(minutes=32)
    house.run_janitor()
    house.change_card(booking, GOOD)

    live_through(house, days=1)

    assert house.charges(booking) == [booking.quote.balance_minor]


# --- What stops it ----------------------------------------------------------------------------------------


def test_a_dispute_stops_the_tries_until_it_is_won(house: House):
    booking = refuse(house)
    dispute_id = dispute(house, booking)
    house.change_card(booking, GOOD)

    live_through(house, days=8)
    assert tries(house) == 1
    assert "volvemos a" not in read(Client().get(booking.get_absolute_url()))
    house.control.close_dispute(dispute_id, status="won")
    house.deliver_events()
    scan(house)

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_cancellation_stops_the_tries(house: House):
    booking = refuse(house)
    payment = balance_of(booking)
    request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
    house.wait_until(Dunning.objects.get(payment=payment).next_at or house.now)
    assert tasks.scan_and_charge_balances() == "enqueued=0", "before it is settled"
    house.run_jobs()

    live_through(house, days=10)

    assert Dunning.objects.get(payment=payment).next_at is None
    assert house.charges(booking) == []


def test_new_dates_end_the_tries_at_the_old_sum(house: House):
    booking = house.book(nights=5, card=GOOD)
    house.change_card(booking, NO_FUNDS)
    house.wait_until(booking.balance_due_at)
    house.run_jobs()
    old = balance_of(booking)
    quote = booking.quote
    change_dates(
        booking=booking,
        check_in=quote.check_in,
        check_out=quote.check_out - timedelta(days=1),
        base_url=BASE_URL,
        now=house.now,
    )
    house.change_card(booking, GOOD)

    live_through(house, days=4)

    assert Dunning.objects.get(payment=old).next_at is None
    assert house.charges(booking) == [balance_of(booking).amount_minor]


# --- Crashes ----------------------------------------------------------------------------------------------


def purge_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")


def test_the_next_try_hangs_on_no_job(house: House):
    booking = refuse(house)
    purge_jobs()
    house.change_card(booking, GOOD)
    house.wait(days=5)

    scan(house)

    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_decline_and_its_next_try_are_written_together_or_not_at_all(house: House, monkeypatch):
    booking = house.book_due(card=NO_FUNDS)

    def die(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("payments.ledger.dunning.request_email", die)
        house.charge(booking)
    assert live_attempt(booking).state == AttemptState.CONFIRMING
    assert not Dunning.objects.exists()
    house.wait(minutes=2)
    house.run_janitor()

    assert last_attempt(balance_of(booking)).state == AttemptState.DECLINED
    assert next_at(booking) == house.now + timedelta(hours=6)


@pytest.mark.parametrize("path", [CONFIRM_INTENT, CANCEL_INTENT])
def test_a_decline_whose_answer_was_lost_is_one_step(house: House, path: str):
    booking = house.book_due(card=NO_FUNDS)
    house.arm(FaultKind.RESET_AFTER, path=path)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    house.wait(minutes=2)
    house.run_janitor()
    house.run_janitor()
    house.run_jobs()

    assert row_of(booking).step == 1
    assert len(links()) == 1


def test_a_worker_that_dies_when_it_has_closed_the_page_leaves_the_try_due(house: House, monkeypatch):
    booking = refuse(house)
    house.change_card(booking, GOOD)
    house.wait_until(next_at(booking))
    house.open_page(booking)
    claim, count = claims.claim_balance, [0]

    def die_the_second_time(**kwargs: Any) -> claims.Claim:
        count[0] += 1
        if count[0] == 2:
            raise KeyboardInterrupt
        return claim(**kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(claims, "claim_balance", die_the_second_time)
        house.charge(booking)
    assert last_attempt(balance_of(booking)).state == AttemptState.EXPIRED

    scan(house)

    assert house.charges(booking) == [booking.quote.balance_minor]


# --- The database -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"step": MOST_STEPS + 1, "next_at": None}, "payments_dunning_ends"),
        ({"step": MOST_STEPS}, "payments_only_soft_declines_are_tried_again"),
        ({"decline_class": "hard"}, "payments_only_soft_declines_are_tried_again"),
        ({"decline_class": "data"}, "payments_only_soft_declines_are_tried_again"),
        ({"decline_class": "kind"}, "payments_dunning_class_known"),
    ],
)
def test_the_database_refuses_tries_without_end_and_tries_of_what_is_not_soft(
    house: House, values: dict[str, object], constraint: str
):
    booking = refuse(house)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Dunning.objects.filter(payment=balance_of(booking)).update(**values)


# --- What the guest is told -------------------------------------------------------------------------------


def test_the_page_and_the_email_say_when_the_card_is_asked_again(house: House):
    booking = refuse(house)
    with timezone.override(booking.home.tz):
        local = timezone.localtime(next_at(booking))

    page = read(Client().get(booking.get_absolute_url()))

    for text in (page, links()[0]):
        assert "volvemos a intentar el cobro a tu tarjeta" in text
        assert f"{local:%H:%M}" in text


def test_an_email_of_a_step_that_is_over_is_dropped(house: House, settings):
    booking = house.book_due(card=NO_FUNDS)
    house.charge(booking)
    go_to_next_try_without_mail(house, booking)

    house.run_jobs()

    first, second = GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).order_by("version")
    assert (first.version, first.sent_at is None, first.dropped_at is None) == (1, True, False)
    assert (second.version, second.sent_at is None) == (2, False)
    assert len(links()) == 1


def go_to_next_try_without_mail(house: House, booking: Booking) -> None:
    house.wait_until(next_at(booking))
    house.charge(booking)


def test_no_link_is_sent_for_what_was_paid_before_the_mail_server_came_back(house: House):
    booking = house.book_due(card=NO_FUNDS)
    house.charge(booking)
    house.change_card(booking, GOOD)
    go_to_next_try_without_mail(house, booking)

    house.run_jobs()

    assert links() == []
    assert GuestEmail.objects.get(kind=GuestEmail.Kind.PAYMENT_LINK).dropped_at is not None


def test_a_missing_card_is_told_once(house: House):
    booking = house.book_due()
    locking.forget_card(booking=booking)
    answers = [house.charge(booking) for _ in range(3)]
    house.run_jobs()

    assert answers == ["missing_method"] * 3
    assert (row_of(booking).step, row_of(booking).next_at) == (1, None)
    assert len(links()) == 1
