"""A worker that speaks to another Stripe account charges nobody, mails nobody and fails nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from payments.models import GuestEmail, Payment, PaymentAttempt
from payments.policies import PaymentKind, PaymentStatus
from procrastinate_tasks import is_paused, resume_queue
from reyes_estancias.local_stripe.launcher import sandbox_running
from tests.acceptance.live_house import LiveHouse, wait_until
from tests.factories import balance_of

DUE = 15


@pytest.mark.slow
def test_fifteen_due_balances_wait_for_the_right_account(
    live_house: LiveHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bookings = live_house.book_due(DUE)
    told = GuestEmail.objects.count()

    with sandbox_running(state=tmp_path / "other.jsonl") as other, monkeypatch.context() as wrong:
        wrong.setenv("STRIPE_API_BASE", other.base_url)
        with live_house.worker():
            wait_until(lambda: is_paused("payments"))
        assert other.control.statement() == []
    assert not PaymentAttempt.objects.filter(payment__kind=PaymentKind.BALANCE).exists()
    assert {balance_of(booking).status for booking in bookings} == {PaymentStatus.PENDING}
    assert GuestEmail.objects.count() == told

    resume_queue(queue="payments")
    live_house.finish()

    live_house.assert_charged_once(bookings)
    assert Payment.objects.filter(kind=PaymentKind.BALANCE, status=PaymentStatus.PAID).count() == DUE
    assert not GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).exists()
