"""No row is locked and no transaction is open while Stripe is asked anything: row 10 of the old guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory

from payments import gateway, tasks
from payments.date_changes import change_dates
from payments.exceptions import OutcomeUnknown
from payments.policies import AttemptState
from payments.services import request_cancellation
from reyes_estancias.local_stripe.faults import FaultKind
from tests.acceptance.live_house import row_locked
from tests.factories import BASE_URL
from tests.house import CONFIRM_INTENT, CREATE_REFUND, House, live_attempt, open_house
from tests.workers.workers import current_database_url

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 2, 18, tzinfo=UTC)
TABLES = (
    "bookings_booking",
    "bookings_nightblock",
    "payments_bookingaccount",
    "payments_payment",
    "payments_paymentattempt",
    "payments_refund",
    "payments_stripeevent",
)
CALLS = (
    "create_intent",
    "retrieve_intent",
    "list_intents",
    "list_open_pages",
    "confirm_intent",
    "cancel_intent",
    "create_session",
    "retrieve_session",
    "expire_session",
    "create_refund",
    "find_refund",
)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with freeze_time(NOON, ignore=["_pytest"]) as clock:
        assert isinstance(clock, FrozenDateTimeFactory)
        with open_house(clock) as opened:
            monkeypatch.setattr(gateway, "_build_gateway", lambda path: opened.gateway)
            yield opened


@pytest.fixture
def calls(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The calls of Stripe so far; during each, every row of money can be locked by somebody else."""
    made: list[str] = []
    with psycopg.connect(current_database_url(), autocommit=True) as other:

        def watch(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def watched(*args: Any, **kwargs: Any) -> Any:
                assert not connection.in_atomic_block, f"{name} is called inside a transaction"
                for table in TABLES:
                    other.execute(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT".encode())
                made.append(name)
                return call(*args, **kwargs)

            return watched

        for name in CALLS:
            monkeypatch.setattr(house.gateway, name, watch(name, getattr(house.gateway, name)))
        yield made


def test_every_call_of_stripe_finds_every_row_of_money_free(house: House, calls: list[str]):
    booking = house.book_due()
    house.charge(booking)
    declined = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(declined)
    house.open_page(declined)
    house.pay_page(declined)
    house.deliver_events()
    unknown = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    house.run_jobs()
    resumed = house.book_due()
    house.arm(FaultKind.RESET_BEFORE, path="/v1/payment_intents")
    house.run_jobs()
    hold = house.hold()
    house.open_page(hold)
    request_cancellation(booking=hold, base_url=BASE_URL, now=house.now)
    long = house.book(nights=40)
    arrival = long.quote.check_in
    change_dates(
        booking=long,
        check_in=arrival,
        check_out=arrival + timedelta(days=2),
        base_url=BASE_URL,
        now=house.now,
    )
    house.arm(FaultKind.RESET_BEFORE, path=CREATE_REFUND)
    house.run_jobs()
    house.wait(minutes=3)
    tasks.resolve_unfinished_payments()
    house.run_jobs()

    assert set(calls) == set(CALLS)
    assert [house.charges(each) for each in (booking, unknown, resumed)] == [
        [each.quote.balance_minor] for each in (booking, unknown, resumed)
    ]


def test_the_watch_itself_notices_a_lock(house: House, calls: list[str]):
    booking = house.book(check_in=date(2026, 12, 10))
    with psycopg.connect(current_database_url()) as holder:
        holder.execute(b"SELECT 1 FROM bookings_booking FOR UPDATE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            house.gateway.retrieve_intent("pi_any")
        holder.rollback()

    assert booking.pk


def test_a_booking_that_somebody_has_locked_keeps_no_other_guest_waiting(house: House):
    """A frozen process, or a forgotten psql, holds the row of the attempt that is first in line."""
    attempts = []
    for _ in range(2):
        booking = house.book_due()
        house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
        with pytest.raises(OutcomeUnknown):
            house.charge(booking)
        attempts.append(live_attempt(booking))
    locked, other = attempts
    house.wait(minutes=2)

    with row_locked("bookings_booking", locked.payment.booking_id):
        assert tasks.resolve_unfinished_payments() == "looked_at=1 ended=1"
        other.refresh_from_db()
        assert other.state == AttemptState.SUCCEEDED
        locked.refresh_from_db()
        assert (locked.checks, locked.check_at) == (0, house.now + timedelta(minutes=1))
        house.wait(minutes=1)
        assert tasks.resolve_unfinished_payments() == "looked_at=0 ended=0"

    house.wait(minutes=1)
    assert tasks.resolve_unfinished_payments() == "looked_at=1 ended=1"


def test_a_refund_of_a_booking_that_somebody_has_locked_waits_alone(house: House):
    bookings = [house.book(), house.book()]
    for booking in bookings:
        request_cancellation(booking=booking, base_url=BASE_URL, now=house.now)
        tasks.settle_cancellation(booking.pk, BASE_URL)
    house.wait(minutes=2)

    with row_locked("bookings_booking", bookings[0].pk):
        assert tasks.resolve_unfinished_payments() == "looked_at=1 ended=1"

    assert [house.refunds(booking) for booking in bookings] == [[], [bookings[1].quote.deposit_minor]]
