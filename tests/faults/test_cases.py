"""Cases of the catalogue that no test nearer to the code holds, each in lives of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

import pytest
from django.core.mail import EmailMessage
from django.db import OperationalError, connection
from freezegun.api import real_perf_counter
from psycopg.errors import DeadlockDetected

from bookings.models import Booking, BookingStatus
from payments import services, tasks
from payments.date_changes import change_dates
from payments.models import GuestEmail
from payments.policies import AttemptState, PaymentKind, PaymentStatus
from payments.protocols import janitor
from procrastinate_tasks.queues import pauses
from reyes_estancias.local_stripe.faults import Fault, FaultKind
from tests.factories import BASE_URL, balance_of
from tests.faults.conftest import HouseMaker
from tests.faults.life import Life
from tests.faults.points import Point, Side, Visitor
from tests.faults.scenarios import SCENARIOS
from tests.faults.strikes import Plan, Strike, Striker, live
from tests.house import CONFIRM_INTENT, House, account_of, live_attempt

pytestmark = pytest.mark.slow  # minutes: make faults runs it

CLAIM = "commit payments.ledger.claims claim_balance"
LAST_LOOK = "commit payments.ledger.last_look permit_confirmation"
RECORD = "commit payments.ledger.outcomes record_intent"
INBOX = "commit payments.webhooks _store"
CONFIRM = "call POST payment_intents/pi/confirm of payments.driver _confirm"


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def begin(house: House, **options: object) -> Life:
    return Life(house, _rng(1), **options)  # type: ignore[arg-type]


def book_many(life: Life, count: int) -> list[Booking]:
    """Return bookings whose balances fall due now."""
    arrival = (life.house.now + timedelta(days=10)).date()
    bookings = [life.house.book(check_in=arrival) for _ in range(count)]
    life.house.wait_until(bookings[0].balance_due_at)
    return bookings


def end_well(life: Life) -> None:
    life.drain()
    life.assert_all_holds()


def at(point: str, side: Side, action: Callable[[], object], *, visit: int = 1) -> Visitor:
    """Have something happen at a visit of a point."""
    seen = 0

    def visitor(visited: Point, visited_side: Side) -> None:
        nonlocal seen
        if (str(visited), visited_side) == (point, side):
            seen += 1
            if seen == visit:
                action()

    return visitor


# --- Deaths and the database --------------------------------------------------------------------------------


def test_money_whose_answer_nobody_read_is_recorded_within_two_minutes(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house, events="lost", are_jobs_lost=True)
        (booking,) = book_many(life, 1)
        point = Point("call", CONFIRM.removeprefix("call "))
        life.visitor = Striker(house, (Strike(point, Side.AFTER),))
        life.run_jobs()
        assert life.deaths == 1
        assert house.charges(booking) == [booking.quote.balance_minor]

        for _ in range(2):
            house.wait(minutes=1)
            house.run_janitor()

        assert balance_of(booking).status == PaymentStatus.PAID
        end_well(life)


@pytest.mark.parametrize("point", [CLAIM, LAST_LOOK, RECORD, INBOX])
def test_a_database_that_goes_away_at_a_commit_costs_no_peso(new_house: HouseMaker, point: str):
    with new_house() as house:
        life = begin(house)
        life.visitor = at(point, Side.BEFORE, lose_session)
        verdict = SCENARIOS["balance"](life)
        life.drain()
        verdict()
        life.assert_all_holds()


def lose_session() -> None:
    """End this process's session, as a server that stops does, in the middle of its transaction."""
    raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.parametrize("point", [CLAIM, LAST_LOOK, RECORD])
def test_a_deadlock_at_a_commit_is_tried_again(new_house: HouseMaker, point: str):
    def meet_deadlock() -> None:
        raise OperationalError("deadlock detected") from DeadlockDetected()

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        life.visitor = at(point, Side.BEFORE, meet_deadlock)

        assert house_retried(life)
        house.wait(seconds=30)
        life.run_jobs()

        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


def house_retried(life: Life) -> bool:
    report = life.act(life.house.run_jobs)
    assert report is not None
    return bool(report.retried)


@pytest.mark.parametrize("error", ["could not extend file: No space left on device", "canceling statement"])
def test_without_a_committed_last_look_nothing_is_confirmed(new_house: HouseMaker, error: str):
    def cannot_commit() -> None:
        raise OperationalError(error)

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        life.visitor = at(LAST_LOOK, Side.BEFORE, cannot_commit)
        life.run_jobs()
        assert house.calls().count("payment_intents/pi/confirm") == 0

        house.wait(seconds=30)
        life.run_jobs()
        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


# --- Stripe and the way to it -------------------------------------------------------------------------------


def test_a_storm_of_429_delays_charges_and_loses_none(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        bookings = book_many(life, 40)
        rng = _rng(7)

        def refuse_every_second(point: Point, side: Side) -> None:
            if point.kind == "call" and side is Side.BEFORE and rng.random() < 0.5:
                house.stripe.core.faults.insert(0, Fault(FaultKind.RATE_LIMITED))

        life.visitor = refuse_every_second
        for _ in range(3):
            life.work(minutes=1)
        end_well(life)
        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]


def test_after_two_hours_without_stripe_all_is_charged_within_half_an_hour(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        bookings = book_many(life, 10)
        house.arm(FaultKind.RESET_BEFORE, path="*", method="*", count=100_000)
        for _ in range(12):
            life.work(minutes=10)
        assert all(house.charges(each) == [] for each in bookings)
        house.control.clear_faults()

        for _ in range(6):
            life.work(minutes=5)

        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]
        assert {balance_of(each).status for each in bookings} == {PaymentStatus.PAID}
        end_well(life)


def test_an_outage_in_the_middle_of_many_confirmations_charges_each_once(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house, events="lost")
        bookings = book_many(life, 40)
        house.control.arm_fault(Fault(FaultKind.RESET_AFTER, path=CONFIRM_INTENT, count=10, skip=15))
        house.control.arm_fault(Fault(FaultKind.UNAVAILABLE, path=CONFIRM_INTENT, count=10, skip=15))
        life.run_jobs()

        end_well(life)
        assert [house.charges(each) for each in bookings] == [[each.quote.balance_minor] for each in bookings]


def test_an_answer_after_29_seconds_meets_nobody_at_its_attempt(new_house: HouseMaker):
    looks = []

    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)

        def take_29_seconds() -> None:
            house.wait(seconds=29)
            looks.append(janitor.resolve_unfinished(gateway=house.gateway, now=house.now).looked_at)
            assert live_attempt(booking).state == AttemptState.CONFIRMING

        life.visitor = at(CONFIRM, Side.AFTER, take_29_seconds)
        life.run_jobs()

        assert looks == [0]
        assert balance_of(booking).status == PaymentStatus.PAID
        end_well(life)


@pytest.mark.parametrize(
    "scenario", ["balance", "decline_then_link", "cancelled_in_doubt", "refund_comes_back"]
)
def test_an_answer_out_of_date_decides_nothing(new_house: HouseMaker, scenario: str):
    with new_house() as house:
        visits = live(Plan(scenario), house).visits
    reads = [point for point in sorted(visits) if point.name.startswith("GET") and "/" in point.name]
    assert reads
    for point in reads:
        for visit in range(1, min(visits[point], 3) + 1):
            with new_house() as house:
                live(Plan(scenario, (Strike(point, FaultKind.STALE, visit),)), house)


# --- Guests -------------------------------------------------------------------------------------------------


def refuse_balance(life: Life) -> Booking:
    """Return a booking whose card has said no to the balance."""
    (booking,) = book_many(life, 1)
    life.house.change_card(booking, "pm_card_chargeDeclinedLostCard")
    life.run_jobs()
    assert balance_of(booking).status == PaymentStatus.FAILED
    return booking


def open_page(life: Life, booking: Booking) -> str:
    return life.insist(
        lambda: services.open_checkout(
            booking=Booking.objects.get(pk=booking.pk),
            base_url=BASE_URL,
            gateway=life.house.gateway,
            now=life.house.now,
        )
    )


@pytest.mark.parametrize("events", ["sent", "lost", "reversed"])
def test_a_page_whose_money_takes_days_is_paid_when_it_is_there(new_house: HouseMaker, events: str):
    with new_house() as house:
        life = begin(house, events=events)
        booking = refuse_balance(life)
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_settlesLater")
        life.work(minutes=40)
        assert balance_of(booking).status == PaymentStatus.PROCESSING
        assert house.charges(booking) == []

        for _ in range(4):
            life.work(minutes=24 * 60)

        assert balance_of(booking).status == PaymentStatus.PAID
        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


@pytest.mark.parametrize("events", ["sent", "lost", "reversed"])
def test_a_page_whose_money_never_comes_can_be_paid_by_another(new_house: HouseMaker, events: str):
    with new_house() as house:
        life = begin(house, events=events)
        booking = refuse_balance(life)
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_neverSettles")
        for _ in range(5):
            life.work(minutes=24 * 60)
        assert balance_of(booking).status == PaymentStatus.REQUIRES_ACTION

        open_page(life, booking)
        house.pay_page(booking)
        life.work(minutes=5)

        assert house.charges(booking) == [booking.quote.balance_minor]
        end_well(life)


def test_a_deposit_whose_money_never_comes_frees_the_nights(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        booking = house.hold()
        open_page(life, booking)
        house.pay_page(booking, card="pm_card_neverSettles")
        for _ in range(4):
            life.work(minutes=24 * 60)

        assert Booking.objects.get(pk=booking.pk).status == BookingStatus.EXPIRED
        assert house.lines(booking) == []
        end_well(life)


@pytest.mark.parametrize("card", ["pm_card_settlesLater", "pm_card_neverSettles"])
def test_a_saved_card_whose_money_takes_days_ends_as_its_money_does(new_house: HouseMaker, card: str):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        house.change_card(booking, card)
        life.run_jobs()
        assert balance_of(booking).status == PaymentStatus.PROCESSING
        for _ in range(4):
            life.work(minutes=24 * 60)

        came = card == "pm_card_settlesLater"
        assert house.charges(booking) == ([booking.quote.balance_minor] if came else [])
        if not came:
            house.change_card(booking, "pm_card_visa")
        end_well(life)


def test_a_link_is_sent_once_when_the_mail_server_is_back_after_six_hours(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        house.change_card(booking, "pm_card_chargeDeclinedLostCard")
        with mock.patch.object(EmailMessage, "send", side_effect=ConnectionRefusedError):
            for _ in range(12):
                life.work(minutes=30)
        link = GuestEmail.objects.get(booking=booking, kind=GuestEmail.Kind.PAYMENT_LINK)
        assert link.sent_at is None

        end_well(life)
        link.refresh_from_db()
        assert link.sent_at is not None


# --- At the same time ---------------------------------------------------------------------------------------


def points_of_a_charge(new_house: HouseMaker) -> list[str]:
    with new_house() as house:
        life = begin(house)
        book_many(life, 1)
        striker = Striker(house)
        life.visitor = striker
        life.run_jobs()
        return sorted(str(point) for point in striker.visits)


def try_at_each_point(
    new_house: HouseMaker, happens: Callable[[Life, Booking], object], holds: Callable[[Life, Booking], None]
) -> None:
    for point in points_of_a_charge(new_house):
        with new_house() as house:
            life = begin(house)
            (booking,) = book_many(life, 1)
            life.visitor = at(point, Side.AFTER, lambda life=life, booking=booking: happens(life, booking))  # type: ignore[misc]
            life.run_jobs()
            life.drain()
            holds(life, booking)
            life.assert_all_holds()


def test_a_cancellation_at_each_point_of_a_charge_is_settled_once(new_house: HouseMaker):
    def cancel(life: Life, booking: Booking) -> None:
        for _ in range(2):
            services.request_cancellation(
                booking=Booking.objects.get(pk=booking.pk), base_url=BASE_URL, now=life.house.now
            )

    def is_settled_once(life: Life, booking: Booking) -> None:
        assert Booking.objects.get(pk=booking.pk).status in (BookingStatus.CANCELLED, BookingStatus.COMPLETED)
        both = life.house.charges(booking) + life.house.charges(booking, PaymentKind.FEE)
        assert both == [booking.quote.balance_minor]

    try_at_each_point(new_house, cancel, is_settled_once)


def test_a_change_of_dates_at_each_point_of_a_charge_leaves_one_sum(new_house: HouseMaker):
    def shorten(life: Life, booking: Booking) -> None:
        nights = booking.quote.nights
        try:
            change_dates(
                booking=Booking.objects.get(pk=booking.pk),
                check_in=nights.lower,
                check_out=nights.upper - timedelta(days=1),
                base_url=BASE_URL,
                now=life.house.now,
            )
        except Exception as refusal:  # Whatever it is refused for: what was agreed stays.
            life.refusals.append(type(refusal).__name__)

    def has_one_sum(life: Life, booking: Booking) -> None:
        assert len(life.house.charges(booking)) == 1
        assert life.house.taken(booking) == account_of(booking).owed_minor

    try_at_each_point(new_house, shorten, has_one_sum)


def test_a_pause_at_each_point_of_a_charge_takes_nothing_until_it_ends(new_house: HouseMaker):
    for point in points_of_a_charge(new_house):
        with new_house() as house:
            _assert_a_pause_holds(begin(house), point)


def _assert_a_pause_holds(life: Life, point: str) -> None:
    house = life.house
    (booking,) = book_many(life, 1)
    before: list[int] = []

    def pause() -> None:
        pauses.pause_queue(queue="payments", by="Ana", reason="the bank is investigating")
        before.append(house.calls().count("payment_intents/pi/confirm"))

    life.visitor = at(point, Side.AFTER, pause)
    life.run_jobs()
    house.wait(minutes=10)
    life.act(house.run_janitor)
    # The one that was permitted already is on its way.
    permitted = 1 if point == LAST_LOOK else 0
    assert house.calls().count("payment_intents/pi/confirm") - before[0] <= permitted, point
    pauses.resume_queue(queue="payments")

    end_well(life)
    assert house.charges(booking) == [booking.quote.balance_minor]


# --- The queue ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scenario", ["balance", "decline_then_funds", "late_cancellation", "refund_comes_back"]
)
def test_no_protocol_hangs_on_a_job_that_has_ended(new_house: HouseMaker, scenario: str):
    with new_house() as house:
        life = begin(house)

        def delete_what_has_ended(point: Point, side: Side) -> None:
            if point.kind == "call" and side is Side.AFTER:
                delete_ended_jobs()

        life.visitor = delete_what_has_ended
        verdict = SCENARIOS[scenario](life)
        life.drain()
        verdict()
        life.assert_all_holds()


def delete_ended_jobs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE status IN ('succeeded', 'failed', 'cancelled')")


def test_behind_a_hundred_thousand_jobs_a_due_charge_runs_next(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        (booking,) = book_many(life, 1)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
                " SELECT 'emails', %s, jsonb_build_object('email_id', -number)"
                " FROM generate_series(1, 100000) AS number",
                [tasks.send_guest_email.name],
            )
            cursor.execute("ANALYZE procrastinate_jobs")
        began = real_perf_counter()
        house.run_jobs_of("payments")
        seconds = real_perf_counter() - began

        assert house.charges(booking) == [booking.quote.balance_minor]
        assert seconds < 60
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs WHERE queue_name = 'emails'")
        end_well(life)


def test_events_are_answered_within_200_ms(new_house: HouseMaker):
    with new_house() as house:
        life = begin(house)
        book_many(life, 1)
        (event, *_) = house.events()
        took = []
        for number in range(1_000):
            began = real_perf_counter()
            assert house.post_event({**event, "id": f"evt_{number}"}) == 200
            took.append(real_perf_counter() - began)

        assert sorted(took)[989] < 0.2
