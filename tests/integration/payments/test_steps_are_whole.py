"""A process may die at any statement of a step: its rows and its job are there together, or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from bookings.closures import close_nights
from bookings.models import Booking, BookingStatus
from payments.date_changes import give_up_change
from payments.ledger import outcomes
from payments.services import extend_hold, request_cancellation
from tests.factories import BASE_URL, balance_of, make_property
from tests.house import House, live_attempt
from tests.integration.payments.test_booking_office import by_telephone
from tests.integration.payments.test_dearer_dates import ask
from tests.integration.payments.test_returned_refunds import returned_refund

Step = Callable[[], object]
JOBS = "procrastinate_jobs"
_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
AND (relname LIKE 'bookings\\_%' OR relname LIKE 'payments\\_%'
     OR relname IN ('procrastinate_jobs', 'django_admin_log'))
"""
_STATE = "SELECT '{0}', count(*), md5(coalesce(string_agg(t::text, ';' ORDER BY t::text), '')) FROM {0} t"


class Killed(BaseException):
    """The process is gone: no handler of exceptions runs after it."""


@dataclass(slots=True)
class Executioner:
    """Counts the statements of a step, and ends the process before one of them.

    What only marks a place in a transaction is none: a process that dies there dies between two others.
    """

    at: int = 0
    seen: int = 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not str(sql).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.seen += 1
            if self.seen == self.at:
                raise Killed
        return execute(sql, params, many, context)


State = dict[str, tuple[int, str]]


def read_state() -> State:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(_STATE.format(name) for name in tables))
        return {name: (count, digest) for name, count, digest in cursor.fetchall()}


def changes(before: State, after: State) -> dict[str, int]:
    """Return the tables that have changed, each with how many rows came to it."""
    return {name: after[name][0] - before[name][0] for name in before if after[name][1] != before[name][1]}


def try_step(step: Step, *, killed_at: int = 0) -> tuple[State, int]:
    """Take a step, read what is there afterwards, and undo it all."""
    executioner = Executioner(at=killed_at)
    with transaction.atomic():
        with connection.execute_wrapper(executioner), suppress(Killed):
            step()
        state = read_state()
        transaction.set_rollback(True)
    return state, executioner.seen


def assert_whole(step: Step, *, with_job: bool = True) -> None:
    """Kill a step before each of its statements, one time after another."""
    before = read_state()
    whole, statements = try_step(step)
    expected = changes(before, whole)
    assert expected, "the step does something"
    assert (JOBS in expected) == with_job
    halves = {}
    for number in range(1, statements + 1):
        found = changes(before, try_step(step, killed_at=number)[0])
        if found not in ({}, expected):
            halves[number] = found
    assert not halves, f"of {expected} there was only, when killed before that statement: {halves}"


# --- What a guest does ------------------------------------------------------------------------------------


def post(path: str, data: dict[str, str] | None = None) -> Step:
    return lambda: Client().post(path, data or {})


def hold(house: House) -> Step:
    home = make_property()
    arrival = (house.now + timedelta(days=30)).date()
    stay = {"check_in": str(arrival), "check_out": str(arrival + timedelta(days=3)), "guests": "2"}
    guest = {"name": "Lucía Pérez", "email": "lucia@correo.example", "accepts": "on", "versions": "0-0"}
    return post(reverse("property", args=[home.slug]), {**stay, **guest})


def ask_for_more_time(house: House) -> Step:
    booking = house.hold()
    return lambda: extend_hold(booking=Booking.objects.get(pk=booking.pk), now=house.now)


def correct_the_address(house: House) -> Step:
    booking = house.hold()
    return post(reverse("correct_email", args=[booking.access_token]), {"email": "nueva@correo.example"})


def come_back_from_paying(house: House) -> Step:
    booking = house.hold()
    house.open_page(booking)
    return post(reverse("look_at_payment", args=[booking.access_token]))


def be_told_by_stripe(house: House) -> Step:
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    (event,) = (event for event in house.events() if event["type"] == "checkout.session.completed")
    return lambda: house.post_event(event)


def be_confirmed(house: House) -> Step:
    booking = house.hold()
    house.open_page(booking)
    house.pay_page(booking)
    attempt = live_attempt(booking)
    intent = house.gateway.retrieve_session(attempt.stripe_session_id or "").intent_id
    found = house.gateway.retrieve_intent(intent)
    return lambda: outcomes.record_intent(attempt_id=attempt.pk, intent=found, now=house.now)


def move_for_nothing(house: House) -> Step:
    booking = house.book()
    return lambda: ask(house, booking, nights=3, later=20)


def move_to_dearer_nights(house: House) -> Step:
    booking = house.book()
    return lambda: ask(house, booking, nights=6)


def keep_the_dates(house: House) -> Step:
    booking = house.book()
    ask(house, booking, nights=6)
    return lambda: give_up_change(booking=Booking.objects.get(pk=booking.pk), now=house.now)


def give_the_nights_up(house: House) -> Step:
    return cancel(house, house.hold())


def cancel_the_booking(house: House) -> Step:
    return cancel(house, house.book())


def cancel(house: House, booking: Booking) -> Step:
    return lambda: request_cancellation(
        booking=Booking.objects.get(pk=booking.pk), base_url=BASE_URL, now=house.now
    )


def ask_for_their_bookings(house: House) -> Step:
    booking = house.book()
    return post(reverse("my_bookings"), {"email": booking.guest_email})


OF_GUESTS = (
    hold,
    correct_the_address,
    come_back_from_paying,
    be_told_by_stripe,
    be_confirmed,
    move_for_nothing,
    move_to_dearer_nights,
    give_the_nights_up,
    cancel_the_booking,
    ask_for_their_bookings,
)


@pytest.mark.parametrize("prepare", OF_GUESTS)
def test_a_guests_step_is_there_with_its_job_or_not_at_all(house: House, prepare: Callable[[House], Step]):
    assert_whole(prepare(house))


def test_paying_leaves_nothing_or_a_claim_that_the_next_click_takes_up(house: House):
    """Stripe is asked between two transactions: the claim is there before, the page and its job after it."""
    booking = house.hold()
    click = post(reverse("pay", args=[booking.access_token]))
    before = read_state()
    whole, statements = try_step(click)
    halves = [changes(before, try_step(click, killed_at=number)[0]) for number in range(1, statements + 1)]
    claim = {name: rows for name, rows in changes(before, whole).items() if name != JOBS}
    assert claim in halves and all(half in ({}, claim) for half in halves)

    with connection.execute_wrapper(Executioner(at=halves.index(claim) + 1)), suppress(Killed):
        click()
    assert changes(before, read_state()) == claim
    click()

    house.pay_page(booking)
    house.let_pages_be_looked_at()
    assert Booking.objects.get(pk=booking.pk).status == BookingStatus.CONFIRMED
    assert house.taken(booking) == booking.quote.deposit_minor


@pytest.mark.parametrize("prepare", [ask_for_more_time, keep_the_dates])
def test_a_step_that_owes_no_job_is_whole_too(house: House, prepare: Callable[[House], Step]):
    assert_whole(prepare(house), with_job=False)


# --- What staff do to money -------------------------------------------------------------------------------


@pytest.fixture
def desk(house: House) -> Iterator[Client]:
    client = Client()
    client.force_login(User.objects.create_superuser("rosa"))
    yield client


def take_a_booking(house: House, desk: Client) -> Step:
    home = make_property()
    arrival = (house.now + timedelta(days=30)).date()
    dates = {"check_in": str(arrival), "check_out": str(arrival + timedelta(days=3))}
    return lambda: desk.post("/admin/bookings/booking/add/", by_telephone(home.pk, **dates))


def correct_for_a_guest(house: House, desk: Client) -> Step:
    booking = house.book()
    page = reverse("admin:bookings_booking_address", args=[booking.pk])
    return lambda: desk.post(page, {"email": "nueva@correo.example"})


def charge_the_card_again(house: House, desk: Client) -> Step:
    booking = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(booking)
    house.run_jobs()
    house.wait(hours=1)
    choice = {"action": "charge_again", "_selected_action": [balance_of(booking).pk]}
    return lambda: desk.post("/admin/payments/debt/", choice)


def pay_a_refund_again(house: House, desk: Client) -> Step:
    _booking, refund = returned_refund(house)
    return lambda: desk.post(f"/admin/payments/refund/{refund.pk}/pay-again/")


@pytest.mark.parametrize(
    "prepare", [take_a_booking, correct_for_a_guest, charge_the_card_again, pay_a_refund_again]
)
def test_a_step_of_staffs_with_money_is_there_with_its_job_or_not_at_all(
    house: House, desk: Client, prepare: Callable[[House, Client], Step]
):
    assert_whole(prepare(house, desk))


def give_a_refund_up(house: House, desk: Client) -> Step:
    _booking, refund = returned_refund(house)
    return lambda: desk.post(f"/admin/payments/refund/{refund.pk}/give-up/")


def waive_a_debt(house: House, desk: Client) -> Step:
    booking = house.book_due()
    house.charge(booking)
    attempt = balance_of(booking).attempts.get()
    house.control.refund_by_hand(attempt.stripe_intent_id or "", amount=5_000)
    house.deliver_events()
    return lambda: desk.post(f"/admin/bookings/booking/{booking.pk}/waive-debt/", {"debt_minor": "5000"})


def erase_a_guest(house: House, desk: Client) -> Step:
    booking = house.hold()
    cancel(house, booking)()
    house.run_jobs()
    choice = {"action": "erase_guests", "confirmed": "yes", "_selected_action": [booking.pk]}
    return lambda: desk.post("/admin/bookings/booking/", choice)


def open_nights_again(house: House, desk: Client) -> Step:
    arrival = (house.now + timedelta(days=30)).date()
    nights = {"first": arrival, "until": arrival + timedelta(days=2)}
    block = close_nights(home=make_property(), note="pintura", now=house.now, **nights)
    choice = {"action": "open_again", "_selected_action": [block.pk]}
    return lambda: desk.post("/admin/bookings/nightblock/", choice)


@pytest.mark.parametrize("prepare", [give_a_refund_up, waive_a_debt, erase_a_guest, open_nights_again])
def test_what_staff_answer_for_is_there_with_who_did_it_or_not_at_all(
    house: House, desk: Client, prepare: Callable[[House, Client], Step]
):
    assert_whole(prepare(house, desk), with_job=False)


# --- The guard itself -------------------------------------------------------------------------------------


def test_a_step_in_two_transactions_is_noticed(house: House):
    booking = house.hold()

    def in_two() -> None:
        for name in ("A", "B"):
            with transaction.atomic():
                Booking.objects.filter(pk=booking.pk).update(guest_name=name)
                Booking.objects.filter(pk=booking.pk).update(guest_phone=name)
        make_property()

    with pytest.raises(AssertionError, match="there was only"):
        assert_whole(in_two, with_job=False)
