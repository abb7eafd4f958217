"""What monitoring is told of money: charges that fail, and charges in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bookings.money import format_pesos
from payments import monitoring
from payments.exceptions import OutcomeUnknown
from payments.models import PaymentAttempt
from payments.policies import AttemptState
from procrastinate_tasks.monitoring.alerts.rules import all_rules
from procrastinate_tasks.monitoring.snapshot import Snapshot, take_snapshot
from reyes_estancias.local_stripe.faults import FaultKind
from tests.house import CONFIRM_INTENT, House


def snapshot_at(now: datetime) -> Snapshot:
    """Return a snapshot by the house's clock; the database's runs on."""
    return replace(take_snapshot(), taken_at=now)


def sentences_of(rule_name: str, now: datetime) -> list[str]:
    (rule,) = (each for each in all_rules() if each.name == rule_name)
    return [finding.words for finding in rule.find(snapshot_at(now))]


def test_more_than_five_declined_charges_an_hour_are_told_until_the_hour_is_over(house: House, settings):
    settings.PAYMENTS_ALERT_FAILED_PER_HOUR = 2
    bookings = [house.book_due(card="pm_card_chargeCustomerFail") for _ in range(3)]
    for booking in bookings[:2]:
        house.charge(booking)
    assert sentences_of("charges_failing", house.now) == []

    house.charge(bookings[2])

    total = format_pesos(sum(booking.quote.balance_minor for booking in bookings))
    assert sentences_of("charges_failing", house.now) == [f"En la última hora fallaron 3 cobros: {total}."]
    house.wait(hours=1, seconds=1)
    assert sentences_of("charges_failing", house.now) == []


def test_a_charge_in_doubt_is_told_after_ten_minutes_until_stripe_has_said_what_became_of_it(house: House):
    booking = house.book_due()
    house.arm(FaultKind.RESET_AFTER, path=CONFIRM_INTENT)
    with pytest.raises(OutcomeUnknown):
        house.charge(booking)
    assert PaymentAttempt.objects.filter(state=AttemptState.UNKNOWN).exists()
    assert sentences_of("charge_unknown", house.now) == []

    house.wait(minutes=10)

    (sentence,) = sentences_of("charge_unknown", house.now)
    amount = format_pesos(booking.quote.balance_minor)
    assert sentence.startswith(f"De 1 cobro de {amount} no se conoce el resultado, desde hace 10 min")
    assert monitoring.charges_in_doubt(before=house.now - timedelta(minutes=10)).count == 1
    house.come_to_rest()
    assert sentences_of("charge_unknown", house.now) == []


def test_the_numbers_are_there_and_name_nobody(house: House):
    house.book_due()

    metrics = {metric.name: metric for metric in monitoring.payment_metrics()}

    open_payments = {sample.labels["status"]: sample.value for sample in metrics["payments_open"].samples}
    assert open_payments["pending"] == 1
    assert "paid" not in open_payments
    assert {label for metric in metrics.values() for sample in metric.samples for label in sample.labels} == {
        "status"
    }
