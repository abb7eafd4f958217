"""The scan: it finds every balance that is due, defers its charge once, and does nothing else."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings.models import Booking, BookingStatus
from payments import tasks
from payments.deferred_jobs import unschedule
from payments.models import Payment
from payments.policies import PaymentStatus
from payments.protocols import scan
from payments.services import request_cancellation
from procrastinate_tasks.testing import assert_enqueued, refute_enqueued
from tests.due_balances import make_due_balances
from tests.factories import BASE_URL, balance_of
from tests.house import House

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DECLINED = "pm_card_chargeCustomerFail"


def lose_job(booking: Booking) -> None:
    """Take away the job that waited for the balance, as if somebody had purged the queue."""
    unschedule(booking=booking)


def count_jobs() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def test_the_scan_defers_one_charge_for_each_due_balance_and_says_how_many(house: House, settings):
    settings.SITE_BASE_URL = BASE_URL
    due = [house.book(nights=nights) for nights in (2, 3)]
    later = house.book(check_in=(house.now + timedelta(days=40)).date())
    for booking in (*due, later):
        lose_job(booking)
    house.wait_until(max(booking.balance_due_at for booking in due))

    assert [tasks.scan_and_charge_balances() for _ in range(2)] == ["enqueued=2", "enqueued=0"]

    for booking in due:
        assert_enqueued(tasks.charge_balance_for_booking, {"booking_id": booking.pk, "base_url": BASE_URL})
    refute_enqueued(tasks.charge_balance_for_booking, {"booking_id": later.pk})
    house.run_jobs()
    assert [house.charges(booking) for booking in due] == [[booking.quote.balance_minor] for booking in due]


def test_the_scan_itself_asks_nothing_of_stripe(house: House):
    booking = house.book()
    lose_job(booking)
    house.wait_until(booking.balance_due_at)
    before = len(house.control.requests())

    tasks.scan_and_charge_balances()

    assert len(house.control.requests()) == before
    assert house.charges(booking) == []


def test_the_scan_passes_over_a_balance_whose_charge_waits_to_be_tried_again(house: House):
    booking = house.book()
    house.let_pages_be_looked_at()
    house.wait_until(booking.balance_due_at)
    assert tasks.scan_and_charge_balances() == "enqueued=0", "its own job waits"

    house.arm_everything_unavailable()
    assert house.run_jobs().retried == 1
    assert tasks.scan_and_charge_balances() == "enqueued=0", "its retry waits"


def test_a_scan_during_a_charge_defers_at_most_one_job_which_takes_nothing(house: House, monkeypatch):
    booking = house.book_due()
    create_intent = house.gateway.create_intent
    counts: list[str] = []

    def scan_meanwhile(request):
        counts.extend(tasks.scan_and_charge_balances() for _ in range(3))
        return create_intent(request)

    monkeypatch.setattr(house.gateway, "create_intent", scan_meanwhile)
    house.run_jobs()

    assert counts[1:] == ["enqueued=0", "enqueued=0"]
    assert house.charges(booking) == [booking.quote.balance_minor]


@pytest.mark.parametrize("status", [PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN])
def test_the_scan_finds_what_was_left_in_the_middle(house: House, status: PaymentStatus):
    booking = house.book_due()
    lose_job(booking)
    Payment.objects.filter(pk=balance_of(booking).pk).update(status=status)

    assert tasks.scan_and_charge_balances() == "enqueued=1"


def test_the_scan_leaves_alone_what_waits_for_the_guest_or_owes_nothing(house: House):
    declined, paid, cancelled = (house.book() for _ in range(3))
    house.change_card(declined, DECLINED)
    house.wait_until(paid.balance_due_at)
    house.run_jobs()
    request_cancellation(booking=cancelled, base_url=BASE_URL, now=house.now)

    assert balance_of(declined).status == PaymentStatus.FAILED
    assert tasks.scan_and_charge_balances() == "enqueued=0"


def test_a_stay_that_ended_and_owes_is_still_found_by_the_scan(house: House):
    booking = house.book()
    lose_job(booking)
    house.wait_until(booking.departure_at)
    house.wait(days=60)
    assert Booking.objects.get(pk=booking.pk).status == BookingStatus.CONFIRMED

    assert tasks.scan_and_charge_balances() == "enqueued=1"


@pytest.mark.django_db(transaction=True)  # as a worker: within a transaction all go in at once
def test_the_scan_writes_thousands_of_jobs_in_one_statement_each():
    make_due_balances(2_500, now=NOW)

    with CaptureQueriesContext(connection) as captured:
        enqueued = scan.defer_due_charges(base_url=BASE_URL, now=NOW)

    assert enqueued == count_jobs() == 2_500
    inserts = [query for query in captured if "INSERT INTO procrastinate_jobs" in query["sql"]]
    assert len(inserts) == 2
    assert len(captured) <= 6


@pytest.mark.django_db(transaction=True)  # as a worker: within a transaction all go in at once
@pytest.mark.slow
def test_the_scan_of_ten_times_as_many_bookings_needs_no_more_memory():
    few, many = (_peak_of_scan(count) for count in (2_000, 20_000))

    assert count_jobs() == 22_000
    assert many < 1.25 * few, f"{few} bytes for 2,000 bookings, {many} for 20,000"


def _peak_of_scan(count: int) -> int:
    make_due_balances(count, now=NOW)
    tracemalloc.start()
    try:
        assert scan.defer_due_charges(base_url=BASE_URL, now=NOW) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
