"""Rows of money, locked and moved: what each question about them answers, and what each change writes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection

from bookings.models import Booking, BookingStatus
from payments import policies
from payments.exceptions import BookingBusy, NewerRelease
from payments.ledger import claims, locking, outcomes
from payments.models import BookingAccount, Dispute, Dunning, Payment, PaymentAttempt
from payments.policies import AttemptState, DisputeStatus, IntentStatus, PaymentKind, PaymentStatus
from tests.factories import BASE_URL, balance_of, make_confirmed_booking, make_intent

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)


def claimed(booking: Booking) -> PaymentAttempt:
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert attempt is not None
    return attempt


# --- What is asked of rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(BookingStatus))
@pytest.mark.parametrize("is_cancelling", [True, False])
@pytest.mark.parametrize("kind", [*PaymentKind, None])
def test_a_fee_is_charged_after_a_cancellation_and_all_else_before_one_was_asked_for(
    status: BookingStatus, is_cancelling: bool, kind: PaymentKind | None
):
    booking = Booking(status=status, cancel_requested_at=NOW if is_cancelling else None)
    payment = Payment(kind=kind) if kind else None

    if kind == PaymentKind.FEE:
        expected = status == BookingStatus.CANCELLED
    else:
        expected = status in (BookingStatus.CONFIRMED, BookingStatus.COMPLETED) and not is_cancelling
    assert locking.is_chargeable(booking, payment) == expected


@pytest.mark.parametrize("kind", list(PaymentKind))
def test_a_balance_alone_waits_for_its_instant(kind: PaymentKind):
    booking, payment = Booking(balance_due_at=DUE), Payment(kind=kind)

    assert locking.is_due(booking, payment, DUE)
    assert locking.is_due(booking, payment, DUE + timedelta(seconds=1))
    assert locking.is_due(booking, payment, DUE - timedelta(microseconds=1)) == (kind != PaymentKind.BALANCE)


def test_an_attempt_of_this_release_or_an_older_one_is_known():
    for version in range(1, policies.PROTOCOL_VERSION + 1):
        locking.require_known_protocol(PaymentAttempt(protocol_version=version))
    with pytest.raises(NewerRelease):
        locking.require_known_protocol(PaymentAttempt(protocol_version=policies.PROTOCOL_VERSION + 1))


# --- Locks --------------------------------------------------------------------------------------------------


def test_a_booking_that_somebody_keeps_is_busy_and_any_other_trouble_is_not(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
):
    booking = make_confirmed_booking(now=NOW)
    monkeypatch.setattr(locking, "_LOCK_TIMEOUT", "100ms")
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT FROM bookings_booking WHERE id = %s FOR UPDATE", (booking.pk,))
        with pytest.raises(BookingBusy), locking.locked_booking(booking.pk):
            pytest.fail("the row is another's")
    with pytest.raises(OperationalError) as trouble, locking.locked_booking(booking.pk):
        raise OperationalError("the server is gone")
    assert not isinstance(trouble.value, BookingBusy)


@pytest.mark.django_db
def test_an_attempt_of_a_newer_release_is_locked_by_nobody():
    attempt = claimed(make_confirmed_booking(now=NOW))
    PaymentAttempt.objects.filter(pk=attempt.pk).update(protocol_version=policies.PROTOCOL_VERSION + 1)

    with pytest.raises(NewerRelease), locking.locked_attempt(attempt.pk):
        pytest.fail("it is a newer release's")


# --- Changes ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_state_and_a_status_are_written():
    attempt = claimed(make_confirmed_booking(now=NOW))
    attempt.decline_code = "lost_card"

    locking.save(attempt, DUE + timedelta(minutes=1))
    locking.set_status(attempt.payment, PaymentStatus.UNKNOWN, "a reason")

    stored = PaymentAttempt.objects.select_related("payment").get(pk=attempt.pk)
    assert (stored.decline_code, stored.updated_at) == ("lost_card", DUE + timedelta(minutes=1))
    assert (stored.payment.status, stored.payment.reason) == ("unknown", "a reason")
    locking.move(attempt, AttemptState.CLAIMED, DUE)
    assert PaymentAttempt.objects.get(pk=attempt.pk).updated_at == DUE


def refuse(booking: Booking) -> Dunning:
    """Let the bank refuse the balance softly: the card is to be asked again."""
    attempt = claimed(booking)
    intent = make_intent(attempt, status=IntentStatus.CANCELED, decline_code="insufficient_funds")
    outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=DUE)
    return Dunning.objects.get(payment=balance_of(booking))


@pytest.mark.django_db
def test_a_payment_that_is_given_up_is_asked_for_no_more_and_one_that_waits_is():
    booking = make_confirmed_booking(now=NOW)
    dunning = refuse(booking)

    locking.set_status(balance_of(booking), PaymentStatus.FAILED)
    dunning.refresh_from_db()
    assert dunning.next_at is not None
    locking.void_payment(payment=balance_of(booking))

    dunning.refresh_from_db()
    assert dunning.next_at is None
    assert dunning.payment.status == PaymentStatus.VOID


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "is_refundable", "stops", "keeps_money"),
    [
        (DisputeStatus.WARNING_NEEDS_RESPONSE, True, True, False),
        (DisputeStatus.NEEDS_RESPONSE, False, True, True),
        (DisputeStatus.LOST, False, True, True),
        (DisputeStatus.WON, False, False, False),
        (DisputeStatus.WARNING_CLOSED, True, False, False),
    ],
)
def test_an_inquiry_stops_collection_and_a_chargeback_the_refund_too(
    status: DisputeStatus, is_refundable: bool, stops: bool, keeps_money: bool
):
    booking, other = make_confirmed_booking(now=NOW), make_confirmed_booking(now=NOW)
    deposit = PaymentAttempt.objects.get(payment__booking=booking)
    Dispute.objects.create(
        attempt=deposit,
        stripe_dispute_id="dp_1",
        amount_minor=deposit.amount_minor,
        currency="mxn",
        reason="general",
        status=status,
        withheld_minor=0,
        is_refundable=is_refundable,
        opened_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )

    assert locking.is_disputed(booking) == stops
    assert locking.is_disputed_money(deposit) == keeps_money
    assert not locking.is_disputed(other)


@pytest.mark.django_db
def test_a_card_that_is_forgotten_is_that_of_one_booking():
    booking, other = make_confirmed_booking(now=NOW), make_confirmed_booking(now=NOW)

    locking.forget_card(booking=booking)

    cards = dict(BookingAccount.objects.values_list("booking", "stripe_payment_method_id"))
    assert cards == {booking.pk: "", other.pk: "pm_1"}


@pytest.mark.django_db
def test_a_booking_is_settled_once_it_owes_nothing_and_not_a_centavo_before():
    booking = make_confirmed_booking(now=NOW)
    account = BookingAccount.objects.get(booking=booking)
    assert account.due_minor > 0
    locking.settle_if_nothing_is_due(booking=booking, now=DUE)
    booking.refresh_from_db()
    assert booking.settled_at is None

    attempt = claimed(booking)
    outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=DUE)

    booking.refresh_from_db()
    assert booking.settled_at == DUE
    locking.settle_if_nothing_is_due(booking=booking, now=DUE + timedelta(days=1))
    booking.refresh_from_db()
    assert booking.settled_at == DUE
