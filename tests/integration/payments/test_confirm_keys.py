"""A fault that is replayed under an idempotency key does not outlive the key."""

from __future__ import annotations

import pytest

from payments.exceptions import TransientFault
from payments.models import PaymentAttempt, Refund
from payments.services import request_cancellation
from reyes_estancias.local_stripe import idempotency
from reyes_estancias.local_stripe.faults import FaultKind
from tests.factories import BASE_URL, balance_of
from tests.house import (
    CONFIRM_INTENT,
    CREATE_INTENT,
    CREATE_REFUND,
    CREATE_SESSION,
    House,
    last_attempt,
    live_attempt,
    without_ids,
)

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


def test_each_call_that_moves_money_has_the_key_of_a_row(house: House):
    """So a row tells of each, whatever its answer: nothing is asked under a key that the SDK made up."""
    house.charge(house.book_due())
    refused = house.book_due(card="pm_card_chargeCustomerFail")
    house.charge(refused)
    house.open_page(refused)
    cancelled = house.book()
    request_cancellation(booking=cancelled, base_url=BASE_URL, now=house.now)
    house.run_jobs()

    asked = [each for each in house.control.requests() if each.method == "POST" and moves_money(each.path)]
    keys = {(each.idempotency_key or "").partition(":")[0] for each in asked}

    assert {without_ids(each.path) for each in asked} == {
        "payment_intents",
        "payment_intents/pi/confirm",
        "payment_intents/pi/cancel",
        "checkout/sessions",
        "refunds",
    }
    attempts = PaymentAttempt.objects.values_list("key", flat=True)
    assert keys == {str(key) for key in [*attempts, *Refund.objects.values_list("key", flat=True)]}


def moves_money(path: str) -> bool:
    """All but the closing of a page, which takes none and may be repeated under any key."""
    roots = (CREATE_INTENT, CREATE_SESSION, CREATE_REFUND)
    return path.startswith(roots) and not path.endswith("/expire")
