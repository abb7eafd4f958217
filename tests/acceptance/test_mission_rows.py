"""The rows of the old production guide, 1–10 and 17–22, each with a test that shows it.

Rows that other files show already, in ``tests/``:

====  ================================================================================================
row   where
====  ================================================================================================
1     integration/payments/test_scan.py (what is found, passed over, enqueued, in which memory)
4     integration/payments/test_deposit.py, test_date_changes.py (the exact instant, in the transaction)
6     integration/payments/test_scan.py (asks nothing of Stripe); ``manage.py demo`` measures both ways
7     acceptance/test_charge_log_lines.py
8     integration/payments/test_charge_faults.py (four faults in a row, and what is no fault)
9     integration/payments/test_charge.py (every answer)
10    acceptance/test_no_lock_during_a_call.py, integration/payments/test_scan.py (memory)
17    acceptance/procrastinate_tasks/test_schedule.py (three workers, each tick once)
18    unit/procrastinate_tasks/test_cron.py (changes of the clocks)
19    unit/reyes_estancias/current_database_url.py, architecture/test_packaging.py (every variable)
21    acceptance/test_charged_exactly_once.py (two workers, one Postgres)
22    integration/procrastinate_tasks/test_commands.py (tasks and schedule with last and next run)
====  ================================================================================================
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from bookings.models import Booking, BookingStatus
from bookings.tasks import mark_expired_bookings, mark_expired_holds
from payments import gateway
from payments.policies import ChargeAnswer, PaymentStatus
from payments.services import request_cancellation
from payments.tasks import charge_balance_for_booking, scan_and_charge_balances
from procrastinate_tasks.exceptions import InvalidTaskArguments
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.queues import pauses
from procrastinate_tasks.queues.control import is_paused
from procrastinate_tasks.schedule import ticks as schedule
from procrastinate_tasks.schedule.periodic import all_schedules
from procrastinate_tasks.testing import assert_enqueued, drain_queue, refute_enqueued
from reyes_estancias.local_stripe.faults import FaultKind
from tests.acceptance.live_house import LiveHouse, wait_until
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_hold
from tests.house import CONFIRM_INTENT, CREATE_INTENT, House, open_house
from tests.workers.workers import count_jobs, query

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 2, 18, tzinfo=UTC)  # noon in Mexico City
THREE_AT_NIGHT = datetime(2026, 11, 3, 9, tzinfo=UTC)
CHARGE = charge_balance_for_booking.name

# The old guide's words for what a charge comes to.
OLD_ANSWERS = {
    "not_found",
    "booking_not_confirmed",
    "missing_method",
    "already_paid",
    "no_balance",
    "pending_topup",
    "requires_action",
    "succeeded",
    "failed",
}


@pytest.fixture
def house(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with freeze_time(NOON, ignore=["_pytest"]) as clock:
        assert isinstance(clock, FrozenDateTimeFactory)
        with open_house(clock) as opened:
            monkeypatch.setattr(gateway, "_build_gateway", lambda path: opened.gateway)
            yield opened


def ticks_of(task_name: str, *, first_look: datetime, looks: list[datetime]) -> list[datetime]:
    """Return the ticks of a task that were deferred at these looks, after a first look."""
    schedule.run_once(first_look)
    return [
        tick.tick_at
        for look in looks
        for tick in schedule.run_once(look).deferred
        if tick.schedule_name == task_name
    ]


# --- Row 1 ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_row_1_the_scan_runs_every_15_minutes_under_its_old_name():
    ticks = ticks_of(
        "payments.tasks.scan_and_charge_balances",
        first_look=NOON,
        looks=[NOON + timedelta(minutes=minute) for minute in range(1, 61)],
    )

    assert ticks == [NOON + timedelta(minutes=minutes) for minutes in (15, 30, 45, 60)]
    assert_enqueued("payments.tasks.scan_and_charge_balances", {})


def test_row_1_the_scan_finds_a_balance_48_hours_after_check_in_and_not_a_second_before(house: House):
    booking = house.book()
    query("DELETE FROM procrastinate_jobs WHERE task_name = %s RETURNING id", CHARGE)
    assert booking.balance_due_at - booking.arrival_at == timedelta(hours=48)

    house.wait_until(booking.balance_due_at)
    house.wait(seconds=-1)
    early = scan_and_charge_balances()
    house.wait(seconds=1)

    assert (early, scan_and_charge_balances()) == ("enqueued=0", "enqueued=1")


# --- Row 2 ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_row_2_stays_are_completed_at_three_in_the_morning_in_mexico_city():
    ticks = ticks_of(
        "bookings.tasks.mark_expired_bookings",
        first_look=NOON,
        looks=[THREE_AT_NIGHT - timedelta(seconds=1), THREE_AT_NIGHT, THREE_AT_NIGHT + timedelta(hours=1)],
    )

    assert ticks == [THREE_AT_NIGHT]


@pytest.mark.django_db
def test_row_2_workers_that_were_down_from_ten_to_three_until_noon_complete_stays_that_day():
    ticks = ticks_of(
        "bookings.tasks.mark_expired_bookings",
        first_look=THREE_AT_NIGHT - timedelta(minutes=10),
        looks=[THREE_AT_NIGHT + timedelta(hours=9), THREE_AT_NIGHT + timedelta(hours=10)],
    )

    assert ticks == [THREE_AT_NIGHT]


@freeze_time(NOON)
@pytest.mark.django_db
def test_row_2_only_stays_that_owe_nothing_are_completed_and_the_others_stay_collectable():
    paid, owing = (make_confirmed_booking(now=NOON) for _ in range(2))
    Booking.objects.filter(pk=paid.pk).update(settled_at=NOON)

    with freeze_time(paid.departure_at + timedelta(days=20)):
        assert [mark_expired_bookings() for _ in range(2)] == ["bookings_expired=1", "bookings_expired=0"]
        query("DELETE FROM procrastinate_jobs WHERE task_name = %s RETURNING id", CHARGE)
        assert scan_and_charge_balances() == "enqueued=1"

    assert_enqueued(CHARGE, {"booking_id": owing.pk})
    assert {booking.status for booking in Booking.objects.filter(pk=paid.pk)} == {BookingStatus.COMPLETED}


# --- Row 3 ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_row_3_holds_are_released_every_hour():
    ticks = ticks_of(
        "bookings.tasks.mark_expired_holds",
        first_look=NOON,
        looks=[NOON + timedelta(minutes=minute) for minute in (1, 59, 60, 61, 119, 120)],
    )

    assert ticks == [NOON + timedelta(hours=1), NOON + timedelta(hours=2)]


@pytest.mark.django_db
def test_row_3_an_expired_hold_is_released_and_counted():
    booking = make_hold(now=NOON)

    with freeze_time(NOON + timedelta(minutes=29)):
        assert mark_expired_holds() == "holds_expired=0"
    with freeze_time(NOON + timedelta(minutes=30)):
        assert mark_expired_holds() == "holds_expired=1"

    booking.refresh_from_db()
    assert booking.status == BookingStatus.EXPIRED


# --- Rows 4 and 5 -----------------------------------------------------------------------------------------


def test_row_4_the_charge_keeps_its_name_and_its_arguments():
    assert CHARGE == "payments.tasks.charge_balance_for_booking"
    assert list(inspect.signature(charge_balance_for_booking.func).parameters) == ["booking_id", "base_url"]


@pytest.mark.django_db
def test_row_4_a_cancellation_takes_the_charge_away_in_its_own_transaction():
    booking = make_confirmed_booking(now=NOON)
    assert_enqueued(CHARGE, {"booking_id": booking.pk}, scheduled_at=booking.balance_due_at)

    request_cancellation(booking=booking, base_url=BASE_URL, now=NOON)

    refute_enqueued(CHARGE)


NO_URL = r"base_url must be a URL such as https://example\.mx"


@pytest.mark.parametrize(
    ("base_url", "complaint"),
    [
        (Decimal("100.00"), "base_url takes a str, not this Decimal"),
        (100, "base_url takes a str, not this int"),
        (None, "base_url takes a str, not None"),
        (b"https://a.mx", "base_url takes a str, not this bytes"),
        ("", NO_URL),
        ("100.00", NO_URL),
        ("reyes.mx", NO_URL),
        ("ftp://reyes.mx", NO_URL),
        ("https://", NO_URL),
        ("//a", NO_URL),
    ],
)
@pytest.mark.django_db
def test_row_5_a_base_url_that_is_no_url_is_refused_when_the_charge_is_deferred(
    base_url: object, complaint: str
):
    with pytest.raises(InvalidTaskArguments, match=complaint):
        defer(CHARGE, {"booking_id": 1, "base_url": base_url})
    with pytest.raises(InvalidTaskArguments, match=complaint):
        charge_balance_for_booking.defer(booking_id=1, base_url=base_url)  # type: ignore[arg-type]

    refute_enqueued(CHARGE)


@pytest.mark.django_db
def test_row_5_a_missing_or_unknown_argument_is_refused_too():
    with pytest.raises(InvalidTaskArguments):
        defer(CHARGE, {"booking_id": 1})
    with pytest.raises(InvalidTaskArguments):
        defer(CHARGE, {"booking_id": 1, "base_url": BASE_URL, "amount": "100.00"})

    refute_enqueued(CHARGE)


# --- Rows 8 and 9 -----------------------------------------------------------------------------------------


def test_row_8_a_fault_that_passes_is_retried_three_times_thirty_seconds_apart(house: House):
    booking = house.book()
    house.let_pages_be_looked_at()
    house.wait_until(booking.balance_due_at)
    house.arm_everything_unavailable()
    waits = []

    for _ in range(3):
        assert house.run_jobs().retried == 1
        retry_at = assert_enqueued(CHARGE, {"booking_id": booking.pk}).scheduled_at
        assert retry_at is not None
        waits.append(retry_at - house.now)
        house.wait_until(retry_at)

    assert waits == [timedelta(seconds=30)] * 3
    assert (house.run_jobs().failed, house.run_jobs().failed) == (1, 0)


@pytest.mark.parametrize("card", ["pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
def test_row_8_a_decline_is_an_answer_and_not_retried(house: House, card: str):
    booking = house.book_due(card=card)

    report = house.run_jobs()

    assert (report.retried, report.failed) == (0, 0)
    refute_enqueued(CHARGE, {"booking_id": booking.pk})


@pytest.mark.parametrize("path", [CREATE_INTENT, CONFIRM_INTENT])
def test_row_8_a_refused_key_stops_the_queue_and_fails_nothing(house: House, path: str):
    house.book_due()
    house.arm(FaultKind.UNAUTHORIZED, path=path)

    report = house.run_jobs()

    assert (report.retried, report.failed) == (1, 0)
    assert is_paused("payments")
    pauses.resume_queue(queue="payments")


def test_row_9_the_answers_are_the_old_ones_and_four_more():
    assert set(ChargeAnswer) - OLD_ANSWERS == {
        ChargeAnswer.DISPUTED,
        ChargeAnswer.NOT_DUE,
        ChargeAnswer.PROCESSING,
        ChargeAnswer.LOCKED,
    }
    assert set(ChargeAnswer) >= OLD_ANSWERS


# --- Rows 17 and 18 ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_row_17_many_schedulers_that_look_at_the_same_minute_defer_each_tick_once():
    schedule.run_once(NOON)

    reports = [schedule.run_once(NOON + timedelta(minutes=15)) for _ in range(5)]

    names = [tick.schedule_name for report in reports for tick in report.deferred]
    assert names.count(scan_and_charge_balances.name) == 1


def test_row_18_every_schedule_is_read_in_the_time_zone_of_the_site():
    assert settings.TIME_ZONE == "America/Mexico_City"
    for declared in all_schedules():
        next_at = declared.cron.next_after(NOON)
        assert next_at is not None
        assert next_at.astimezone(ZoneInfo(settings.TIME_ZONE)).utcoffset() == timedelta(hours=-6)
    (nightly,) = (each for each in all_schedules() if each.name == mark_expired_bookings.name)
    assert nightly.cron.next_after(NOON) == THREE_AT_NIGHT


# --- Rows 19, 20 and 21 -----------------------------------------------------------------------------------


def test_row_19_one_address_is_all_there_is_to_configure_for_the_queue():
    variables = (ROOT / ".env.example").read_text().lower()
    requirements = (ROOT / "requirements.txt").read_text().lower()

    assert "database_url=" in variables
    for gone in ("redis", "celery", "broker", "amqp", "kombu"):
        assert gone not in variables + requirements


def test_row_20_the_procfile_releases_serves_and_works_with_processes_and_concurrency():
    lines = (ROOT / "Procfile").read_text().splitlines()
    programs = dict(line.split(": ", 1) for line in lines)

    assert programs.keys() == {"release", "web", "worker"}
    assert "migrate" in programs["release"]
    assert programs["web"].startswith("gunicorn")
    worker = shlex.split(programs["worker"])
    assert worker[:4] == ["python", "manage.py", "procrastinate", "worker"]
    assert {"--processes", "--concurrency"} <= set(worker)


def test_row_20_and_21_workers_of_several_processes_and_hosts_share_the_charges(live_house: LiveHouse):
    bookings = live_house.book_due(6)

    with live_house.worker("--processes", "2"), live_house.worker("--processes", "1"):
        wait_until(lambda: {balance_of(booking).status for booking in bookings} == {PaymentStatus.PAID})
        wait_until(lambda: count_jobs("todo", "doing") == 0)

    live_house.assert_charged_once(bookings)


# --- Row 22 -----------------------------------------------------------------------------------------------


def test_row_22_the_old_imports_give_tasks_with_the_old_names():
    assert [task.name for task in (mark_expired_bookings, mark_expired_holds)] == [
        "bookings.tasks.mark_expired_bookings",
        "bookings.tasks.mark_expired_holds",
    ]
    assert [task.name for task in (charge_balance_for_booking, scan_and_charge_balances)] == [
        "payments.tasks.charge_balance_for_booking",
        "payments.tasks.scan_and_charge_balances",
    ]


@pytest.mark.django_db
def test_row_22_a_task_called_in_the_shell_runs_at_once_and_returns_its_string():
    make_hold(now=NOON)

    with freeze_time(NOON + timedelta(hours=1)):
        answers = [
            mark_expired_holds(),
            mark_expired_bookings(),
            scan_and_charge_balances(),
        ]
    answers.append(
        charge_balance_for_booking(4_000_000_000, BASE_URL)
    )  # which trusts no clock but the true one

    assert answers == ["holds_expired=1", "bookings_expired=0", "enqueued=0", "not_found"]
    assert drain_queue().succeeded == 0, "nothing was deferred"
