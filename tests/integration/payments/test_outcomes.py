"""What Stripe says of an attempt, row by row: each fact is applied once, forward, to the right attempt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from bookings.models import Booking, BookingStatus
from payments import billing, policies
from payments.exceptions import ContradictoryEvidence
from payments.gateway import Intent, Session, SessionStatus
from payments.ledger import claims, locking, outcomes
from payments.models import BookingAccount, Dunning, GuestEmail, LedgerTransfer, PaymentAttempt, Refund
from payments.policies import AttemptState, IntentStatus, PaymentKind, PaymentStatus
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_deposit_attempt,
    make_hold,
    make_intent,
    make_session,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)


def claimed(booking: Booking | None = None) -> PaymentAttempt:
    booking = booking or make_confirmed_booking(now=NOW)
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert attempt is not None
    return attempt


def page() -> PaymentAttempt:
    """Return a claimed page for a balance that the card did not pay."""
    attempt = claimed()
    declined = intent_of(attempt, status=IntentStatus.CANCELED, decline_code="lost_card")
    record(attempt, declined)
    return claims.claim_checkout(payment_id=attempt.payment_id, base_url=BASE_URL, now=DUE)


def opened() -> PaymentAttempt:
    attempt = page()
    return outcomes.store_session(attempt_id=attempt.pk, session=make_session(attempt), now=DUE)


def intent_of(attempt: PaymentAttempt, **changes: Any) -> Intent:
    return make_intent(attempt, **changes)


def record(attempt: PaymentAttempt, intent: Intent) -> PaymentAttempt:
    return outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=DUE)


def confirming(attempt: PaymentAttempt) -> PaymentAttempt:
    stored = outcomes.store_intent(attempt_id=attempt.pk, intent=intent_of(attempt), now=DUE)
    locking.move(stored, AttemptState.CONFIRMING, DUE)
    return stored


def again(attempt: PaymentAttempt) -> PaymentAttempt:
    return PaymentAttempt.objects.select_related("payment__booking").get(pk=attempt.pk)


def state(attempt: PaymentAttempt) -> tuple[str, str]:
    attempt = again(attempt)
    return attempt.state, attempt.payment.status


def emails(booking: Booking) -> list[str]:
    return sorted(GuestEmail.objects.filter(booking=booking).values_list("kind", flat=True))


def jobs(task: str) -> list[dict[str, Any]]:
    found = ProcrastinateJob.objects.filter(task_name=f"payments.tasks.{task}")
    return [{**each.args, "at": each.scheduled_at} for each in found]


# --- Ids, before anything may be confirmed or shown --------------------------------------------------------


def test_an_intent_is_stored_once_and_no_other_takes_its_place():
    attempt = claimed()
    outcomes.store_intent(attempt_id=attempt.pk, intent=intent_of(attempt, id="pi_1"), now=DUE)

    assert (again(attempt).stripe_intent_id, again(attempt).state) == ("pi_1", "created")
    with pytest.raises(ContradictoryEvidence):
        outcomes.store_intent(attempt_id=attempt.pk, intent=intent_of(attempt, id="pi_2"), now=DUE)
    locking.move(again(attempt), AttemptState.CONFIRMING, DUE)
    outcomes.store_intent(attempt_id=attempt.pk, intent=intent_of(attempt, id="pi_1"), now=DUE)
    assert (again(attempt).stripe_intent_id, again(attempt).state) == ("pi_1", "confirming")


WRONG: list[dict[str, Any]] = [
    {"amount_minor": 1},
    {"currency": "usd"},
    {"customer_id": "cus_2"},
    {"attempt_key": str(uuid4())},
    {"attempt_key": ""},
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("apply", [outcomes.store_intent, outcomes.record_intent])
def test_an_intent_that_was_not_asked_for_is_refused(wrong: dict[str, Any], apply: Callable[..., Any]):
    attempt = claimed()

    with pytest.raises(ContradictoryEvidence):
        apply(attempt_id=attempt.pk, intent=intent_of(attempt, **wrong), now=DUE)

    assert state(attempt) == ("claimed", "processing")


def test_what_somebody_emptied_at_stripe_proves_nothing_against_an_id_we_stored():
    attempt = confirming(claimed())

    record(attempt, intent_of(again(attempt), attempt_key="", customer_id=""))

    assert state(attempt) == ("succeeded", "paid")


def test_a_page_knows_its_intent_by_its_session_and_a_first_payer_by_nothing():
    attempt = opened()
    record(attempt, intent_of(attempt, attempt_key=""))
    assert state(attempt) == ("succeeded", "paid")
    deposit = make_deposit_attempt(booking=make_hold(now=NOW), now=NOW)
    assert deposit.stripe_customer_id == ""
    record(deposit, intent_of(deposit, customer_id="cus_new"))
    assert state(deposit) == ("succeeded", "paid")


def test_an_intent_of_another_attempt_is_refused():
    attempt, other = claimed(), confirming(claimed())

    with pytest.raises(ContradictoryEvidence, match="another's"):
        record(attempt, intent_of(attempt, id=other.stripe_intent_id))


def test_a_page_is_stored_before_it_is_shown_and_looked_at_later():
    attempt = page()
    stored = outcomes.store_session(attempt_id=attempt.pk, session=make_session(attempt), now=DUE)

    assert (stored.state, stored.session_url) == ("open", make_session(attempt).url)
    assert stored.check_at == attempt.session_expires_at
    (look,) = (job for job in jobs("look_at_payment_page") if job["attempt_id"] == attempt.pk)
    assert (look["looks"], look["at"] > DUE) == (0, True)
    outcomes.store_session(attempt_id=attempt.pk, session=make_session(attempt, id="cs_2"), now=DUE)
    assert again(attempt).stripe_session_id == stored.stripe_session_id


def test_a_hold_lasts_as_long_as_its_page_and_a_balance_has_none():
    hold = make_hold(now=NOW)
    attempt = make_deposit_attempt(booking=hold, now=NOW)
    hold.refresh_from_db()
    assert hold.hold_expires_at == attempt.session_expires_at


# --- Doubt and refusals -------------------------------------------------------------------------------------


def test_a_decline_is_remembered_while_the_attempt_lives():
    attempt = claimed()
    outcomes.note_decline(attempt_id=attempt.pk, code="lost_card", advice="do_not_try_again", now=DUE)
    assert (again(attempt).decline_code, again(attempt).advice_code) == ("lost_card", "do_not_try_again")

    record(attempt, intent_of(attempt))
    outcomes.note_decline(attempt_id=attempt.pk, code="late", now=DUE)
    assert again(attempt).decline_code == "lost_card"


def test_only_a_confirmation_can_be_in_doubt():
    attempt = claimed()
    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE)
    assert state(attempt) == ("claimed", "processing")

    outcomes.note_unknown(attempt_id=confirming(attempt).pk, now=DUE)
    assert state(attempt) == ("unknown", "unknown")


@pytest.mark.parametrize(("checks", "delay"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_a_call_that_ended_in_doubt_is_waited_for_no_longer(checks: int, delay: int):
    attempt = confirming(claimed())
    PaymentAttempt.objects.update(checks=checks, check_at=DUE + policies.DRIVER_LEASE)

    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE)
    assert again(attempt).check_at == DUE + policies.CHECK_BACKOFF[delay]
    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE + timedelta(seconds=10))
    assert again(attempt).check_at == DUE + policies.CHECK_BACKOFF[delay], "nor does it put a look off"
    PaymentAttempt.objects.update(check_at=DUE + timedelta(seconds=40) + policies.DRIVER_LEASE)
    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE + timedelta(seconds=40))
    assert again(attempt).check_at == DUE + timedelta(seconds=40) + policies.CHECK_BACKOFF[delay]


def test_a_call_that_ended_in_doubt_leaves_a_later_one_its_time():
    attempt = confirming(claimed())
    begun_since = DUE + timedelta(seconds=1)
    PaymentAttempt.objects.update(check_at=begun_since + policies.DRIVER_LEASE)

    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE)

    assert again(attempt).check_at == begun_since + policies.DRIVER_LEASE
    assert state(attempt) == ("unknown", "unknown")


def test_what_was_refused_before_anything_was_made_is_ended_as_its_kind_is():
    card, web = claimed(), page()
    for attempt in (card, web):
        outcomes.record_refusal(attempt_id=attempt.pk, code="lost_card", advice="no", proof="none", now=DUE)

    assert (state(card), state(web)) == (("declined", "failed"), ("expired", "requires_action"))
    assert (again(card).proof, again(card).decline_code, again(card).advice_code) == (
        "none",
        "lost_card",
        "no",
    )
    made = confirming(claimed())
    outcomes.record_refusal(attempt_id=made.pk, code="lost_card", proof="none", now=DUE)
    assert state(made) == ("confirming", "processing")


def test_what_is_withdrawn_before_anything_was_made_waits_as_before():
    attempt = claimed()
    outcomes.record_withdrawal(attempt_id=attempt.pk, proof="none", now=DUE)

    assert state(attempt) == ("canceled", "pending")
    assert (again(attempt).proof, again(attempt).payment.reason) == ("none", "locked")
    made = confirming(claimed())
    outcomes.record_withdrawal(attempt_id=made.pk, proof="none", now=DUE)
    assert state(made) == ("confirming", "processing")


# --- What became of an intent -------------------------------------------------------------------------------


def test_money_that_was_taken_is_posted_once_and_receipted():
    booking = make_confirmed_booking(now=NOW)
    attempt = claimed(booking)
    for _ in range(2):
        record(attempt, intent_of(attempt))

    assert state(attempt) == ("succeeded", "paid")
    posted = LedgerTransfer.objects.filter(source_id=again(attempt).stripe_intent_id)
    assert [each.amount_minor for each in posted] == [attempt.amount_minor]
    assert emails(booking) == ["confirmed", "receipt"]
    booking.refresh_from_db()
    assert booking.settled_at == DUE
    record(attempt, intent_of(again(attempt), status=IntentStatus.CANCELED))
    assert state(attempt) == ("succeeded", "paid")


def test_money_of_an_attempt_that_ended_contradicts_its_proof():
    attempt = claimed()
    record(attempt, intent_of(attempt, status=IntentStatus.CANCELED))

    with pytest.raises(ContradictoryEvidence):
        record(attempt, intent_of(again(attempt)))
    record(attempt, intent_of(again(attempt), status=IntentStatus.CANCELED))

    assert state(attempt) == ("canceled", "pending")


@pytest.mark.parametrize(
    ("noted", "said", "ends"),
    [
        ("lost_card", "", ("declined", "failed", "lost_card")),
        ("", "lost_card", ("declined", "failed", "lost_card")),
        ("lost_card", "expired_card", ("declined", "failed", "lost_card")),
        ("", "", ("canceled", "pending", "")),
    ],
)
def test_a_cancelled_intent_is_a_decline_if_the_bank_said_no(noted: str, said: str, ends: tuple[str, ...]):
    attempt = claimed()
    if noted:
        outcomes.note_decline(attempt_id=attempt.pk, code=noted, now=DUE)

    record(attempt, intent_of(attempt, status=IntentStatus.CANCELED, decline_code=said, id="pi_1"))

    assert (*state(attempt), again(attempt).decline_code) == ends
    assert again(attempt).proof == "pi_1 canceled"
    assert Dunning.objects.exists() == (ends[0] == "declined")


def test_a_cancelled_intent_says_what_the_last_look_had_against_it():
    attempt = claimed()
    locking.set_status(attempt.payment, PaymentStatus.PROCESSING, "disputed")

    record(attempt, intent_of(attempt, status=IntentStatus.CANCELED, id="pi_1"))

    assert again(attempt).proof == "pi_1 canceled: disputed"
    assert again(attempt).payment.reason == "disputed"


@pytest.mark.parametrize(("code", "is_kept"), [(policies.MISSING_METHOD, False), ("lost_card", True)])
def test_a_card_that_stripe_does_not_know_is_forgotten(code: str, is_kept: bool):
    attempt = claimed()

    outcomes.record_refusal(attempt_id=attempt.pk, code=code, proof="none", now=DUE)

    account = BookingAccount.objects.get(booking=again(attempt).payment.booking)
    assert bool(account.stripe_payment_method_id) == is_kept


def test_money_that_is_on_its_way_is_waited_for():
    attempt = confirming(claimed())
    outcomes.note_unknown(attempt_id=attempt.pk, now=DUE)

    record(attempt, intent_of(again(attempt), status=IntentStatus.PROCESSING))

    assert state(attempt) == ("processing", "processing")


# --- Payment pages ------------------------------------------------------------------------------------------


def closed(attempt: PaymentAttempt) -> Session:
    return make_session(attempt, status=SessionStatus.EXPIRED, id=attempt.stripe_session_id)


def test_a_page_ends_on_proof_and_once():
    attempt = opened()
    outcomes.record_session_expired(attempt_id=attempt.pk, session=closed(attempt), now=DUE)

    assert state(attempt) == ("expired", "requires_action")
    assert again(attempt).proof == f"{attempt.stripe_session_id} expired"
    outcomes.record_session_expired(
        attempt_id=attempt.pk, session=closed(attempt), now=DUE + timedelta(hours=1)
    )
    assert again(attempt).updated_at == DUE
    paid = opened()
    record(paid, intent_of(paid))
    with pytest.raises(ContradictoryEvidence):
        outcomes.record_session_expired(attempt_id=paid.pk, session=closed(paid), now=DUE)


def test_a_page_that_is_done_with_waits_for_its_money():
    attempt, new = opened(), page()
    for each in (attempt, new):
        outcomes.record_session_processing(attempt_id=each.pk, now=DUE)

    assert state(attempt) == ("processing", "processing")
    assert state(new)[0] == "claimed"


# --- A deposit, and what other dates cost -------------------------------------------------------------------


def pay_deposit(hold: Booking, **changes: Any) -> None:
    attempt = make_deposit_attempt(booking=hold, now=NOW)
    Booking.objects.filter(pk=hold.pk).update(**changes)
    outcomes.record_intent(
        attempt_id=attempt.pk,
        intent=intent_of(attempt, customer_id="cus_9", payment_method_id="pm_9"),
        now=NOW,
    )
    hold.refresh_from_db()


def test_a_paid_deposit_confirms_keeps_the_card_and_asks_for_the_balance_at_its_instant():
    hold = make_hold(now=NOW)
    pay_deposit(hold)

    assert (hold.status, hold.settled_at) == (BookingStatus.CONFIRMED, None)
    account = BookingAccount.objects.get(booking=hold)
    assert (account.stripe_customer_id, account.stripe_payment_method_id) == ("cus_9", "pm_9")
    assert balance_of(hold).amount_minor == hold.quote.balance_minor
    (job,) = jobs("charge_balance_for_booking")
    assert (job["booking_id"], job["at"]) == (hold.pk, hold.balance_due_at)
    assert emails(hold) == ["confirmed"]


def test_a_deposit_that_comes_after_a_cancellation_is_money_and_nothing_else():
    hold = make_hold(now=NOW)
    pay_deposit(hold, cancel_requested_at=NOW)

    assert hold.status == BookingStatus.PENDING
    assert BookingAccount.objects.get(booking=hold).captured_minor == hold.quote.deposit_minor
    assert not hold.payments.filter(kind=PaymentKind.BALANCE).exists()
    assert (jobs("charge_balance_for_booking"), emails(hold)) == ([], [])


def test_an_unpaid_deposit_leaves_its_hold_to_its_clock():
    hold = make_hold(now=NOW)
    attempt = make_deposit_attempt(booking=hold, now=NOW)

    outcomes.record_session_expired(attempt_id=attempt.pk, session=closed(attempt), now=NOW)

    hold.refresh_from_db()
    assert not hold.checkout_open
    assert state(attempt) == ("expired", "pending")


def test_what_is_paid_for_dates_that_nobody_holds_any_more_goes_back():
    booking = make_confirmed_booking(now=NOW)
    topup = billing.open_obligation(booking=booking, kind=PaymentKind.TOPUP, amount_minor=5_000, now=NOW)
    attempt = claims.claim_payment(payment_id=topup.pk, base_url=BASE_URL, now=NOW).attempt
    assert attempt is None or record(attempt, intent_of(attempt))

    assert attempt is None or Refund.objects.get().amount_minor == 5_000
