"""What single cases share: a life with balances that fall due, and what happens at one point of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from bookings.models import Booking
from tests.faults.life import Life
from tests.faults.points import Point, Side, Visitor
from tests.house import House

CLAIM = "commit payments.ledger.claims claim_balance"
LAST_LOOK = "commit payments.ledger.last_look permit_confirmation"
RECORD = "commit payments.ledger.outcomes record_intent"
INBOX = "commit payments.webhooks _store"
CONFIRM = "call POST payment_intents/pi/confirm of payments.driver _confirm"


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def begin(house: House, **options: object) -> Life:
    return Life(house, seeded(1), **options)  # type: ignore[arg-type]


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
