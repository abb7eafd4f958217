"""Workers are killed at every step of a charge; the bank statement shows each balance once.

Nothing in the product knows of these tests: processes are held where they are killed by a local Stripe that
is slow before or after it acts, and by rows that the test has locked.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from bookings.models import Booking
from payments import tasks, webhooks
from payments.exceptions import TransientFault
from payments.models import PaymentAttempt
from payments.policies import PaymentKind, PaymentStatus
from reyes_estancias.local_stripe.faults import FaultKind
from reyes_estancias.local_stripe.webhooks import sign, write_payload
from tests.acceptance.live_house import (
    SECRET,
    LiveHouse,
    end_sessions,
    kill,
    row_locked,
    states_of_attempts,
    wait_until,
    waiting_for_a_row,
)
from tests.factories import BASE_URL, balance_of
from tests.house import CONFIRM_INTENT, CREATE_INTENT
from tests.workers.workers import count_jobs, query, send

SECONDS_OF_A_ZOMBIE = 3.0
UNTIL_KILLED = 60.0


def posts_to(house: LiveHouse, ending: str) -> int:
    return sum(
        logged.method == "POST" and logged.path.endswith(ending) for logged in house.control.requests()
    )


def test_a_worker_killed_before_the_claim_leaves_everything_to_the_next(live_house: LiveHouse):
    (booking,) = live_house.book_due()

    with row_locked("bookings_booking", booking.pk), live_house.worker() as worker:
        wait_until(waiting_for_a_row)
        kill(worker)
    assert states_of_attempts([booking]) == []
    live_house.finish()

    live_house.assert_charged_once([booking])


# Where Stripe knows less than we do it is only asked again; ``make faults`` kills at those places too.
@pytest.mark.parametrize(
    ("fault", "path", "seconds", "is_there"),
    [
        pytest.param(
            FaultKind.SLOW_BEFORE,
            CREATE_INTENT,
            SECONDS_OF_A_ZOMBIE,
            lambda house, bookings: states_of_attempts(bookings) == ["claimed"] * 3,
            id="after the claim, before the intent is created",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FaultKind.SLOW_AFTER,
            CREATE_INTENT,
            UNTIL_KILLED,
            lambda house, bookings: posts_to(house, "/payment_intents") == 3,
            id="after the intent is created, before its id is stored",
        ),
        pytest.param(
            FaultKind.SLOW_BEFORE,
            CONFIRM_INTENT,
            SECONDS_OF_A_ZOMBIE,
            lambda house, bookings: states_of_attempts(bookings) == ["confirming"] * 3,
            id="after the id is stored, before the confirmation",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            FaultKind.SLOW_AFTER,
            CONFIRM_INTENT,
            UNTIL_KILLED,
            lambda house, bookings: len(house.balance_lines()) == 3,
            id="after the money is taken, before it is recorded",
        ),
    ],
)
def test_a_worker_killed_at_any_step_charges_each_balance_once(
    live_house: LiveHouse,
    fault: FaultKind,
    path: str,
    seconds: float,
    is_there: Callable[[LiveHouse, list[Booking]], bool],
):
    bookings = live_house.book_due(3)
    live_house.arm(fault, path=path, count=3, seconds=seconds)

    with live_house.worker() as worker:
        wait_until(lambda: is_there(live_house, bookings))
        kill(worker)
    assert [balance_of(booking).status for booking in bookings] == [PaymentStatus.PROCESSING] * 3
    live_house.finish()

    live_house.assert_charged_once(bookings)


def test_a_worker_killed_after_the_record_and_before_its_job_ends_charges_once(live_house: LiveHouse):
    (booking,) = live_house.book_due()
    ((job_id,),) = query(
        "SELECT id FROM procrastinate_jobs WHERE task_name = %s", tasks.charge_balance_for_booking.name
    )
    live_house.arm(FaultKind.SLOW_BEFORE, path=CREATE_INTENT, count=1, seconds=SECONDS_OF_A_ZOMBIE)

    with live_house.worker() as worker:
        wait_until(lambda: states_of_attempts([booking]) == ["claimed"])
        with row_locked("procrastinate_jobs", job_id):
            wait_until(lambda: balance_of(booking).status == PaymentStatus.PAID)
            wait_until(waiting_for_a_row)
            kill(worker)
            end_sessions(waiting_for_a_row())  # whoever waits by now: the end, and who came before it
    assert count_jobs("doing") >= 1
    live_house.finish()

    live_house.assert_charged_once([booking])
    ((result,),) = query(
        "SELECT result FROM procrastinate_tasks_jobattempt WHERE job_id = %s AND outcome = 'succeeded'",
        job_id,
    )
    assert result == '"already_paid"'


def test_a_worker_that_freezes_and_wakes_after_its_job_went_elsewhere_charges_once(live_house: LiveHouse):
    bookings = live_house.book_due(2)
    live_house.arm(FaultKind.SLOW_BEFORE, path=CONFIRM_INTENT, count=2, seconds=SECONDS_OF_A_ZOMBIE)

    with live_house.worker() as frozen:
        wait_until(lambda: states_of_attempts(bookings) == ["confirming"] * 2)
        processes = frozen.pids()
        send(processes, signal.SIGSTOP)
        live_house.finish()
        send(reversed(processes), signal.SIGCONT)
        wait_until(lambda: count_jobs("doing") == 0)
        assert frozen.stop() == 0

    live_house.assert_charged_once(bookings)


def test_declined_cards_are_asked_once_although_their_worker_was_killed(live_house: LiveHouse):
    bookings = live_house.book_due(2, card="pm_card_chargeCustomerFail")
    live_house.arm(FaultKind.SLOW_AFTER, path=CONFIRM_INTENT, count=2, seconds=UNTIL_KILLED)

    with live_house.worker() as worker:
        wait_until(lambda: posts_to(live_house, "/confirm") == 2)
        kill(worker)
    live_house.finish()

    live_house.assert_charged_once([])
    assert [balance_of(booking).status for booking in bookings] == [PaymentStatus.FAILED] * 2
    assert posts_to(live_house, "/confirm") == 2


def test_scan_job_shell_and_webhook_at_once_drive_one_attempt_to_one_charge(live_house: LiveHouse):
    bookings = live_house.book_due(2)
    live_house.arm(FaultKind.SLOW_BEFORE, path=CREATE_INTENT, count=2, seconds=0.3)
    live_house.arm(FaultKind.SLOW_BEFORE, path=CONFIRM_INTENT, count=2, seconds=0.3)
    drivers: list[Callable[[], object]] = [tasks.scan_and_charge_balances, lambda: tell(live_house)]
    drivers += [partial(charge, booking) for booking in bookings for _ in range(31)]
    start = Barrier(len(drivers))

    with live_house.worker(), live_house.worker(), ThreadPoolExecutor(len(drivers)) as pool:
        answers = list(pool.map(lambda driver: run_at_once(driver, start), drivers))
        wait_until(lambda: all(balance_of(booking).status == PaymentStatus.PAID for booking in bookings))
    live_house.finish()

    live_house.assert_charged_once(bookings)
    tried = PaymentAttempt.objects.filter(payment__kind=PaymentKind.BALANCE).values_list("payment", flat=True)
    assert Counter(tried) == {balance_of(booking).pk: 1 for booking in bookings}
    assert {str(answer) for answer in answers} <= {
        "succeeded",
        "already_paid",
        "busy",
        "told",
        *(f"enqueued={count}" for count in range(3)),
    }


def charge(booking: Booking) -> str:
    try:
        return tasks.charge_balance_for_booking(booking.pk, BASE_URL)
    except TransientFault:
        return "busy"


def tell(live_house: LiveHouse) -> str:
    """Post everything that Stripe has to tell, again and again while the charges run."""
    for _ in range(5):
        for event in live_house.client.v1.events.list({"limit": 20}).data:
            payload = write_payload(event.to_dict())
            signature = sign(payload, secret=SECRET, timestamp=int(timezone.now().timestamp()))
            webhooks.receive_event(
                payload=payload, signature=signature, gateway=live_house.gateway, now=timezone.now()
            )
    return "told"


def run_at_once(driver: Callable[[], object], start: Barrier) -> object:
    try:
        start.wait(timeout=30)
        return driver()
    finally:
        connection.close()
