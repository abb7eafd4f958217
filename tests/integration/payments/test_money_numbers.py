"""Each figure of money on the dashboard, and each alert of it, leads to just the payments that it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from freezegun import freeze_time

from bookings.models import Booking
from payments.deferred_jobs import CHARGE_BALANCE
from payments.failed_charges import find_failed_charges
from payments.models import Payment, PaymentAttempt
from payments.panels.money_today import read_money_panel
from payments.policies import PaymentKind
from procrastinate_tasks.models import AlertState
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_property
from tests.integration.procrastinate_tasks.claiming import execute
from tests.integration.procrastinate_tasks.job_states import make_job

NOON = datetime(2026, 12, 10, 18, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("rosa", password="x"))
    return client


@contextmanager
def any_state() -> Iterator[None]:
    """Let rows be in states to which they came by steps that are not repeated here."""
    execute("SET LOCAL session_replication_role = replica")
    yield
    execute("SET LOCAL session_replication_role = origin")


def balance(*, due_at: datetime = NOON, status: str = "pending") -> Payment:
    """Return the balance of a stay that falls due at an instant."""
    arrival = due_at - timedelta(days=2)
    made = NOON - timedelta(days=40)
    booking = make_confirmed_booking(now=made, home=make_property(), check_in=arrival.date())
    Booking.objects.filter(pk=booking.pk).update(
        balance_due_at=due_at, arrival_at=arrival, departure_at=due_at + timedelta(days=1)
    )
    with any_state():
        Payment.objects.filter(pk=balance_of(booking).pk).update(status=status)
    return Payment.objects.get(booking=booking, kind=PaymentKind.BALANCE)


def decline(payment: Payment, *, at: datetime, channel: str = "off_session") -> None:
    with any_state():
        PaymentAttempt.objects.create(
            payment=payment,
            n=payment.attempts.count() + 1,
            channel=channel,
            state="declined",
            proof="card_declined",
            amount_minor=payment.amount_minor,
            currency="mxn",
            base_url=BASE_URL,
            check_at=at,
            created_at=at,
            updated_at=at,
        )


def listed(office: Client, address: str) -> set[int | str]:
    """Return the rows of a list; of the debts, also of its second part."""
    response = office.get(address)
    assert response.status_code == 200, address
    changes = response.context["cl"]
    assert changes.result_count == len(changes.result_list)
    uncollected = response.context.get("uncollected") or ()
    return {row.pk for row in changes.result_list} | {f"uncollected {account.pk}" for account in uncollected}


def test_each_figure_of_the_day_leads_to_the_payments_it_counts(office: Client):
    statuses = ("pending", "paid", "paid", "failed", "requires_action", "processing", "unknown", "void")
    today = {status: balance(status=status).pk for status in statuses}
    late = balance(due_at=NOON - timedelta(hours=5)).pk
    for day in (-1, 1):
        balance(due_at=NOON + timedelta(days=day), status="paid")

    with freeze_time(NOON):
        panel = read_money_panel()
        found = {figure.label: (figure.value, listed(office, figure.url)) for figure in panel.figures}
        (notice,) = panel.notices
        late_ones = listed(office, notice.url)

    counts = [int(value.partition(" ")[0]) for value, _rows in found.values()]
    assert counts == [len(rows) for _value, rows in found.values()]
    assert counts[:4] == [8, 2, 2, 2]
    assert today["failed"] in list(found.values())[3][1]
    assert late_ones == {late}
    assert re.match(r"1\b", notice.sentence)


@pytest.mark.parametrize(
    "value", ["charged", "charged:", "charged:2026-13-40", "nobody:2026-12-10", ":", "x" * 999]
)
def test_a_figure_that_is_none_filters_nothing(office: Client, value: str):
    balance()

    assert office.get("/admin/payments/payment/", {"balances": value}).status_code == 200
    assert office.get("/admin/payments/payment/", {"charge_failed_since": value}).status_code == 200


def test_charges_that_failed_are_payments_each_once_whether_declined_or_broken():
    twice, broken, both, before, by_the_guest = (balance(status="failed") for _ in range(5))
    for payment in (twice, twice, both):
        decline(payment, at=NOON)
    decline(before, at=NOON - timedelta(hours=2))
    decline(by_the_guest, at=NOON, channel="checkout")
    for payment in (broken, both):
        break_job(payment, at=NOON)

    found = find_failed_charges(since=NOON - timedelta(hours=1))

    assert set(found) == {twice, broken, both}
    assert found.count() == 3


def break_job(payment: Payment, *, at: datetime, args: str = "") -> None:
    job_id = make_job(status="failed", task="sample.locked")
    execute(
        "UPDATE procrastinate_jobs SET task_name = %s, args = %s::jsonb WHERE id = %s",
        CHARGE_BALANCE,
        args or f'{{"booking_id": {payment.booking_id}}}',
        job_id,
    )
    execute(
        "INSERT INTO procrastinate_tasks_jobattempt (job_id, attempt, task_name, queue_name, host, release,"
        " started_at, finished_at, outcome, exception_class, message, traceback, fingerprint)"
        " VALUES (%s, 1, %s, 'payments', '', '', %s, %s, 'failed', 'builtins.KeyError', '', '', '1f2e')",
        job_id,
        CHARGE_BALANCE,
        at,
        at,
    )


@pytest.mark.parametrize(
    "args", ["[1, 2]", "null", '{"booking_id": "x"}', '{"booking_id": ' + "9" * 5000 + "}"]
)
def test_a_broken_charge_that_cannot_be_read_counts_for_none(args: str):
    break_job(balance(), at=NOON, args=args)

    assert not find_failed_charges(since=NOON - timedelta(hours=1)).exists()


def test_the_alert_of_failed_charges_leads_to_those_charges(office: Client):
    declined = {balance(status="failed").pk for _ in range(3)}
    for payment in Payment.objects.filter(pk__in=declined):
        decline(payment, at=NOON - timedelta(minutes=10))
    decline(balance(status="failed"), at=NOON - timedelta(hours=3))
    AlertState.objects.create(
        rule="charges_failing", sentence="3 charges failed", seen_at=NOON, fired_at=NOON
    )

    concerns = office.get("/admin/queue/").context["concerns"]

    (concern,) = [each for each in concerns if "3 charges failed" in each.sentence]
    assert listed(office, concern.url) == declined
