"""A fault that is replayed under an idempotency key does not outlive the key."""

from __future__ import annotations

import pytest

from payments.exceptions import TransientFault
from reyes_estancias.local_stripe import idempotency
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import balance_of
from tests.house import CONFIRM_INTENT, House, last_attempt, live_attempt

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _keys_live_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe may forget a key after a day; it does not have to."""
    monkeypatch.setattr(idempotency, "KEPT_SECONDS", 90 * 86_400)


def test_a_500_that_stripe_replays_for_weeks_is_charged_once_after_a_day(house: House):
    booking = house.book_due()
    house.arm(FaultKind.ERROR_BEFORE, path=CONFIRM_INTENT)
    with pytest.raises(TransientFault):
        house.charge(booking)
    house.wait(hours=23)
    house.run_janitor()
    assert live_attempt(booking).confirm_n == 1
    assert house.charges(booking) == []

    house.wait(hours=26)
    house.run_janitor()

    assert last_attempt(balance_of(booking)).confirm_n == 2
    assert house.charges(booking) == [booking.quote.balance_minor]


def test_a_500_after_the_money_was_taken_is_never_confirmed_again(house: House):
    booking = house.book_due()
    house.arm(FaultKind.ERROR_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(TransientFault):
        house.charge(booking)

    house.wait(hours=49)
    house.run_janitor()

    assert last_attempt(balance_of(booking)).confirm_n == 1
    assert house.charges(booking) == [booking.quote.balance_minor]
