"""The last look, row by row: what permits one confirmation, what is against it, and what is written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from bookings.models import Booking
from payments import clocks, policies
from payments.deferred_jobs import QUEUE
from payments.exceptions import ChargingPaused, ClocksDisagree
from payments.ledger import claims, locking, mismatches, outcomes
from payments.ledger.last_look import Permission, permit_confirmation
from payments.ledger.mismatches import Mismatch
from payments.models import Dispute, Payment, PaymentAttempt
from payments.policies import AttemptState, BreakKind, DisputeStatus, IntentStatus, PaymentKind
from procrastinate_tasks import pause_queue, resume_queue
from tests.factories import BASE_URL, make_confirmed_booking, make_intent

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)


@pytest.fixture(autouse=True)
def _clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database have the time of these tests, and its clock agree with ours."""
    monkeypatch.setattr(clocks, "read_database_clock", lambda: DUE)
    monkeypatch.setattr(timezone, "now", lambda: DUE)


@pytest.fixture
def attempt() -> PaymentAttempt:
    """Return an attempt whose intent is stored: all that is missing is the last look."""
    booking = make_confirmed_booking(now=NOW)
    claimed = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert claimed is not None
    return outcomes.store_intent(attempt_id=claimed.pk, intent=make_intent(claimed), now=DUE)


def ask(attempt: PaymentAttempt, now: datetime = DUE, *, is_untouched: bool = True) -> Permission:
    return permit_confirmation(attempt_id=attempt.pk, is_untouched=is_untouched, now=now)


def again(attempt: PaymentAttempt) -> PaymentAttempt:
    return PaymentAttempt.objects.select_related("payment__booking").get(pk=attempt.pk)


def test_a_permission_is_written_before_it_is_used(attempt: PaymentAttempt):
    locking.set_status(attempt.payment, policies.PaymentStatus.PROCESSING, "what was against it once")
    now = DUE + timedelta(minutes=5)

    assert ask(attempt, now).objection is None

    stored = again(attempt)
    assert stored.state == AttemptState.CONFIRMING
    assert (stored.confirm_n, stored.confirm_asked_at) == (1, now)
    assert stored.check_at == now + policies.DRIVER_LEASE
    assert (stored.payment.status, stored.payment.reason) == ("processing", "")


def test_a_doubt_stays_one_when_it_is_asked_for_again(attempt: PaymentAttempt):
    ask(attempt)
    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE)

    assert ask(attempt).objection is None

    assert (again(attempt).state, again(attempt).confirm_n) == (AttemptState.UNKNOWN, 1)


def cancel(attempt: PaymentAttempt) -> None:
    Booking.objects.filter(pk=attempt.payment.booking_id).update(cancel_requested_at=DUE)


def dispute(attempt: PaymentAttempt) -> None:
    deposit = PaymentAttempt.objects.get(
        payment__booking=attempt.payment.booking, payment__kind=PaymentKind.DEPOSIT
    )
    Dispute.objects.create(
        attempt=deposit,
        stripe_dispute_id="dp_1",
        amount_minor=1,
        currency="mxn",
        reason="general",
        status=DisputeStatus.NEEDS_RESPONSE,
        withheld_minor=0,
        is_refundable=False,
        opened_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


def lock(attempt: PaymentAttempt) -> None:
    kind, booking_id = BreakKind.FOREIGN_CHARGE, attempt.payment.booking_id
    difference = Mismatch(kind=kind, stripe_id="pi_2", ours="", theirs="", booking_id=booking_id)
    mismatches.keep(difference, now=NOW)


def delay(attempt: PaymentAttempt) -> None:
    later = DUE + timedelta(days=1)
    Booking.objects.filter(pk=attempt.payment.booking_id).update(balance_due_at=later)


def change_amount(attempt: PaymentAttempt) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger looks
        Payment.objects.filter(pk=attempt.payment_id).update(amount_minor=attempt.amount_minor - 1)


@pytest.mark.parametrize(
    ("happens", "objection"),
    [
        (cancel, "booking_not_confirmed"),
        (dispute, "disputed"),
        (delay, "not_due"),
        (change_amount, "amount_changed"),
        (lock, "locked"),
    ],
)
@pytest.mark.parametrize("is_resumed", [True, False])
def test_each_objection_is_enough_and_permits_nothing(
    attempt: PaymentAttempt, happens: Callable[[PaymentAttempt], None], objection: str, is_resumed: bool
):
    if is_resumed:
        ask(attempt)
    happens(attempt)
    before = again(attempt)

    assert ask(attempt, DUE + timedelta(days=2)).objection == objection

    stored = again(attempt)
    assert stored.payment.reason == objection
    for name in ("state", "confirm_n", "confirm_asked_at", "check_at"):
        assert getattr(stored, name) == getattr(before, name)


def test_what_has_ended_is_left_as_it_is(attempt: PaymentAttempt):
    canceled = make_intent(attempt, status=IntentStatus.CANCELED)
    outcomes.record_intent(attempt_id=attempt.pk, intent=canceled, now=DUE)
    before = PaymentAttempt.objects.filter(pk=attempt.pk).values().get()
    cancel(attempt)

    ask(attempt)

    assert PaymentAttempt.objects.filter(pk=attempt.pk).values().get() == before
    assert again(attempt).payment.reason == ""


def test_nothing_is_permitted_while_charging_is_paused_or_a_clock_is_wrong(
    attempt: PaymentAttempt, monkeypatch: pytest.MonkeyPatch
):
    """Whatever has passed before, and whoever asks: the last look is the last."""
    before = PaymentAttempt.objects.filter(pk=attempt.pk).values().get()
    with monkeypatch.context() as patch:
        patch.setattr(clocks, "read_database_clock", lambda: DUE - timedelta(seconds=61))
        with pytest.raises(ClocksDisagree):
            ask(attempt)
    pause_queue(queue=QUEUE, by="Ana", reason="a rehearsal")
    with pytest.raises(ChargingPaused):
        ask(attempt)

    assert PaymentAttempt.objects.filter(pk=attempt.pk).values().get() == before
    resume_queue(queue=QUEUE)
    assert ask(attempt).objection is None


@pytest.mark.parametrize(("hours", "is_untouched", "n"), [(23, True, 1), (24, False, 1), (24, True, 2)])
def test_another_key_is_used_once_stripe_may_have_forgotten_the_last_and_no_charge_was_tried(
    attempt: PaymentAttempt, hours: int, is_untouched: bool, n: int
):
    ask(attempt)
    now = DUE + timedelta(hours=hours)

    ask(attempt, now, is_untouched=is_untouched)

    stored = again(attempt)
    assert (stored.confirm_n, stored.confirm_asked_at) == (n, now if n == 2 else DUE)
    ask(attempt, now, is_untouched=is_untouched)
    assert again(attempt).confirm_n == n
