"""Workers are killed at every step of a dearer change of dates: it is paid once, and applies with that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from bookings.models import Booking
from payments import tasks
from payments.date_changes import change_dates, preview_change
from payments.models import PaymentAttempt
from payments.policies import PaymentKind
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.statement import Movement
from tests.acceptance.live_house import (
    LiveHouse,
    end_sessions,
    kill,
    row_locked,
    wait_until,
    waiting_for_a_row,
)
from tests.factories import BASE_URL
from tests.house import CONFIRM_INTENT, CREATE_INTENT
from tests.invariants import assert_invariants, key_owners

SECONDS_OF_A_ZOMBIE = 3.0

# The same driver dies at these steps of a balance in test_charged_exactly_once, in each run.
BEFORE_MONEY = pytest.mark.slow
UNTIL_KILLED = 60.0


def lengthen(house: LiveHouse) -> Booking:
    """Return a paid stay whose guest has asked for one night more, and agreed to what it costs."""
    (booking,) = house.book_due()
    assert tasks.charge_balance_for_booking(booking.pk, BASE_URL) == "succeeded"
    booking = Booking.objects.get(pk=booking.pk)
    dates = {
        "check_in": booking.quote.check_in,
        "check_out": booking.quote.check_out + timedelta(days=2),
    }
    charge = preview_change(booking=booking, **dates, now=timezone.now()).money.charge_minor
    change_dates(booking=booking, **dates, base_url=BASE_URL, agreed_charge_minor=charge, now=timezone.now())
    return booking


def states() -> list[str]:
    attempts = PaymentAttempt.objects.filter(payment__kind=PaymentKind.EXTENSION)
    return list(attempts.values_list("state", flat=True))


def extensions(house: LiveHouse) -> list[int]:
    owners = key_owners()
    return [
        line.amount
        for line in house.control.statement()
        if line.kind is Movement.CHARGE
        and owners[line.metadata["attempt"]].payment.kind == PaymentKind.EXTENSION
    ]


def assert_changed_once(house: LiveHouse, booking: Booking) -> None:
    old_total = booking.quote.total_minor
    booking = Booking.objects.get(pk=booking.pk)
    assert booking.changes.count() == 1
    assert booking.night_blocks.get(active=True).nights == booking.quote.nights
    assert extensions(house) == [booking.quote.total_minor - old_total]
    assert_invariants(client=house.client, statement=house.control.statement())


@pytest.mark.parametrize(
    ("fault", "path", "seconds", "is_there"),
    [
        pytest.param(
            FaultKind.SLOW_BEFORE,
            CREATE_INTENT,
            SECONDS_OF_A_ZOMBIE,
            lambda house: states() == ["claimed"],
            id="after the claim, before the intent is created",
            marks=BEFORE_MONEY,
        ),
        pytest.param(
            FaultKind.SLOW_BEFORE,
            CONFIRM_INTENT,
            SECONDS_OF_A_ZOMBIE,
            lambda house: states() == ["confirming"],
            id="after the id is stored, before the confirmation",
            marks=BEFORE_MONEY,
        ),
        pytest.param(
            FaultKind.SLOW_AFTER,
            CONFIRM_INTENT,
            UNTIL_KILLED,
            lambda house: len(extensions(house)) == 1,
            id="after the money is taken, before it is recorded and the dates apply",
        ),
    ],
)
def test_a_worker_killed_at_any_step_changes_the_dates_once(
    live_house: LiveHouse, fault: FaultKind, path: str, seconds: float, is_there: Callable[[LiveHouse], bool]
):
    booking = lengthen(live_house)
    live_house.arm(fault, path=path, count=1, seconds=seconds)

    with live_house.worker() as worker:
        wait_until(lambda: is_there(live_house))
        kill(worker)
    assert Booking.objects.get(pk=booking.pk).quote_id == booking.quote_id
    live_house.finish()

    assert_changed_once(live_house, booking)


def test_a_worker_killed_while_it_applies_the_dates_leaves_neither_half(live_house: LiveHouse):
    """The record of the payment waits for a row that is locked: all of it is gone with its worker."""
    booking = lengthen(live_house)
    live_house.arm(FaultKind.SLOW_AFTER, path=CONFIRM_INTENT, count=1, seconds=3)

    with live_house.worker() as worker:
        wait_until(lambda: len(extensions(live_house)) == 1)
        with row_locked("bookings_datechange", booking.date_changes.get().pk):
            sessions = wait_until(waiting_for_a_row)
            kill(worker)
            end_sessions(sessions)
    assert states() == ["confirming"]
    assert Booking.objects.get(pk=booking.pk).quote_id == booking.quote_id
    assert booking.night_blocks.filter(active=True).count() == 2
    live_house.finish()

    assert_changed_once(live_house, booking)
