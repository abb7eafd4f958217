"""Pausing the queue of payments stops every charge at once, also one that has begun, and loses none."""

from __future__ import annotations

import pytest

from payments.exceptions import ChargingPaused
from procrastinate_tasks.queues import pauses
from tests.house import House

pytestmark = pytest.mark.django_db


def test_no_charge_is_confirmed_while_its_queue_is_paused_and_one_is_after_it(house: House):
    booking = house.book_due()
    pauses.pause_queue(queue="payments", by="Ana", reason="the bank is investigating")

    with pytest.raises(ChargingPaused, match="until somebody resumes it"):
        house.charge(booking)
    assert house.charges(booking) == []

    pauses.resume_queue(queue="payments")
    assert house.charge(booking) == "succeeded"
    assert house.charges(booking) == [booking.quote.balance_minor]
