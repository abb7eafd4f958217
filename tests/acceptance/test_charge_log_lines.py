"""What a charge leaves in the log of a real worker: row 7 of the old guide."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bookings.models import Booking
from payments.tasks import charge_balance_for_booking
from procrastinate_tasks.jobs.deferring import defer
from procrastinate_tasks.queues.control import is_paused
from reyes_estancias.local_stripe.faults import FaultKind
from tests.acceptance.live_house import LiveHouse, wait_until
from tests.factories import BASE_URL, make_hold
from tests.house import CONFIRM_INTENT

CHARGE = charge_balance_for_booking.name


def read_lines(house: LiveHouse) -> list[dict[str, Any]]:
    """Return the worker's log lines, parsed; the last may be half written."""
    lines = house.log.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def messages_about(house: LiveHouse, booking: Booking) -> list[str]:
    return [line["message"] for line in read_lines(house) if line.get("booking_id") == booking.pk]


def has_succeeded(house: LiveHouse, booking: Booking) -> bool:
    return "Job succeeded" in messages_about(house, booking)


def is_retried(house: LiveHouse, booking: Booking) -> bool:
    return any(
        message.startswith("Job failed, will be retried") for message in messages_about(house, booking)
    )


def test_every_line_of_a_charge_names_its_job_and_its_booking_and_nothing_private(live_house: LiveHouse):
    (retried,) = live_house.book_due()
    # Twice: Stripe's SDK tries again by itself once.
    live_house.arm(FaultKind.UNAVAILABLE, path=CONFIRM_INTENT, count=2, seconds=0)

    with live_house.worker():
        wait_until(lambda: is_retried(live_house, retried))
        (paid,), (declined,) = live_house.book_due(), live_house.book_due(card="pm_card_chargeCustomerFail")
        hold = make_hold(now=datetime.now(UTC))
        defer(CHARGE, {"booking_id": hold.pk, "base_url": BASE_URL})
        for booking in (paid, declined, hold):
            wait_until(partial(has_succeeded, live_house, booking))

    assert messages_about(live_house, paid)[0] == "Job started"
    assert messages_about(live_house, paid)[-2:] == ["charge ended", "Job succeeded"]
    assert messages_about(live_house, hold) == ["Job started", "nothing to charge", "Job succeeded"]
    charging = [line for line in read_lines(live_house) if line.get("task") == CHARGE]
    assert {line["answer"] for line in charging if "answer" in line} == {
        "succeeded",
        "failed",
        "booking_not_confirmed",
    }
    assert all(line["job_id"] and line["booking_id"] and line["attempt"] for line in charging)
    log = live_house.log.read_text()
    assert BASE_URL not in "".join(json.dumps(line) for line in charging)
    assert "sk_test" not in log


def test_a_key_that_stripe_refuses_is_in_the_log_with_its_job_and_booking_and_stops_the_queue(
    live_house: LiveHouse,
):
    (booking,) = live_house.book_due()
    live_house.arm(FaultKind.UNAUTHORIZED, path=CONFIRM_INTENT, count=1, seconds=0)

    with live_house.worker():
        wait_until(lambda: is_retried(live_house, booking))

    (failure,) = [line for line in read_lines(live_house) if line["message"].startswith("Job failed")]
    assert (failure["task"], failure["booking_id"]) == (CHARGE, booking.pk)
    assert failure["job_id"]
    assert "GatewayRefused" in failure["error"]
    assert "charging paused: Stripe refuses our key" in messages_about(live_house, booking)
    assert is_paused("payments")
