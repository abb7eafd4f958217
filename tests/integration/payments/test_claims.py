"""Who may take money for a payment, row by row: each condition of a claim decides by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from bookings.exceptions import HoldExpired
from bookings.models import Booking
from payments import billing, memory, policies
from payments.exceptions import CollectionLocked, NewerRelease, NothingToPay, PaymentUnderWay
from payments.gateway import DisputeAnswer
from payments.ledger import claims, disputes, locking, mismatches, outcomes
from payments.ledger.claims import Claim
from payments.ledger.mismatches import Mismatch
from payments.models import BookingAccount, Dunning, GuestEmail, Payment, PaymentAttempt
from payments.policies import (
    AttemptState,
    BreakKind,
    Channel,
    ChargeAnswer,
    DisputeStatus,
    IntentStatus,
    PaymentKind,
    PaymentStatus,
)
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


def claim(booking: Booking, now: datetime = DUE) -> Claim:
    return claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=now)


def open_page(payment: Payment, now: datetime = DUE) -> PaymentAttempt:
    return claims.claim_checkout(payment_id=payment.pk, base_url=BASE_URL, now=now)


def attempt_of(claimed: Claim) -> PaymentAttempt:
    assert claimed.attempt is not None
    return claimed.attempt


def end(attempt: PaymentAttempt, *, decline: str = "") -> None:
    intent = make_intent(attempt, status=IntentStatus.CANCELED, decline_code=decline)
    outcomes.record_intent(attempt_id=attempt.pk, intent=intent, now=DUE)


def pay(booking: Booking) -> PaymentAttempt:
    attempt = attempt_of(claim(booking))
    return outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=DUE)


def test_the_first_to_claim_makes_the_attempt_and_the_next_is_given_it():
    booking = make_confirmed_booking(now=NOW)

    first, second = claim(booking), claim(booking)

    attempt = attempt_of(first)
    assert (first.is_new, second.is_new) == (True, False)
    assert second.attempt == attempt
    assert (first.answer, first.page, second.answer) == (None, None, None)
    assert (attempt.n, attempt.channel, attempt.state) == (1, Channel.OFF_SESSION, AttemptState.CLAIMED)
    assert attempt.check_at == DUE + policies.DRIVER_LEASE
    assert (attempt.stripe_customer_id, attempt.stripe_payment_method_id) == ("cus_1", "pm_1")
    assert balance_of(booking).status == PaymentStatus.PROCESSING
    end(attempt)
    assert attempt_of(claim(booking)).n == 2


def test_what_is_not_there_is_not_found():
    assert claims.claim_balance(booking_id=0, base_url=BASE_URL, now=DUE) == Claim(
        answer=ChargeAnswer.NOT_FOUND
    )
    assert claims.claim_payment(payment_id=0, base_url=BASE_URL, now=DUE) == Claim(
        answer=ChargeAnswer.NOT_FOUND
    )
    assert not Claim().is_new


def ask_for_cancellation(booking: Booking) -> None:
    Booking.objects.filter(pk=booking.pk).update(cancel_requested_at=NOW)


def void(booking: Booking) -> None:
    locking.void_payment(payment=balance_of(booking))


def dispute(booking: Booking) -> None:
    deposit = PaymentAttempt.objects.get(payment__booking=booking, payment__kind=PaymentKind.DEPOSIT)
    answer = DisputeAnswer(
        id=f"dp_{deposit.pk}",
        intent_id=deposit.stripe_intent_id or "",
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=deposit.amount_minor,
        currency="mxn",
        reason="fraudulent",
        is_refundable=False,
        due_by=None,
        opened_at=NOW,
        movements=(),
    )
    disputes.record_dispute(attempt_id=deposit.pk, answer=answer, now=NOW)


def lock(booking: Booking) -> None:
    kind = BreakKind.FOREIGN_CHARGE
    difference = Mismatch(
        kind=kind, stripe_id=f"pi_{booking.pk}", ours="", theirs="paid", booking_id=booking.pk
    )
    mismatches.keep(difference, now=NOW)


def owe_a_topup(booking: Booking) -> Payment:
    return billing.open_obligation(booking=booking, kind=PaymentKind.TOPUP, amount_minor=100, now=NOW)


def forget(**columns: str) -> Callable[[Booking], object]:
    def change(booking: Booking) -> None:
        BookingAccount.objects.filter(booking=booking).update(**columns)

    return change


def decline(booking: Booking) -> None:
    end(attempt_of(claim(booking)), decline="insufficient_funds")


REASONS: list[tuple[Callable[[Booking], object], ChargeAnswer]] = [
    (ask_for_cancellation, ChargeAnswer.BOOKING_NOT_CONFIRMED),
    (void, ChargeAnswer.NO_BALANCE),
    (pay, ChargeAnswer.ALREADY_PAID),
    (owe_a_topup, ChargeAnswer.PENDING_TOPUP),
    (dispute, ChargeAnswer.DISPUTED),
    (lock, ChargeAnswer.LOCKED),
    (forget(stripe_customer_id=""), ChargeAnswer.MISSING_METHOD),
    (forget(stripe_payment_method_id=""), ChargeAnswer.MISSING_METHOD),
    (decline, ChargeAnswer.FAILED),
    (lambda booking: open_page(balance_of(booking)), ChargeAnswer.REQUIRES_ACTION),
]


@pytest.mark.parametrize(("happens", "answer"), REASONS, ids=[answer.value for _, answer in REASONS])
def test_each_reason_not_to_charge_is_enough(happens: Callable[[Booking], object], answer: ChargeAnswer):
    booking = make_confirmed_booking(now=NOW)
    happens(booking)
    tried = PaymentAttempt.objects.count()

    assert claim(booking) == Claim(answer=answer)

    assert PaymentAttempt.objects.count() == tried
    is_asked_for = answer in (ChargeAnswer.MISSING_METHOD, ChargeAnswer.FAILED)
    assert Dunning.objects.exists() == is_asked_for
    assert GuestEmail.objects.filter(kind=GuestEmail.Kind.PAYMENT_LINK).exists() == is_asked_for


def test_a_balance_is_due_at_its_instant_and_not_before():
    booking = make_confirmed_booking(now=NOW)
    instant = booking.balance_due_at

    assert claim(booking, instant - timedelta(microseconds=1)) == Claim(answer=ChargeAnswer.NOT_DUE)
    assert claim(booking, instant).is_new


def test_a_topup_that_is_given_up_is_in_nobodys_way():
    booking = make_confirmed_booking(now=NOW)
    locking.void_payment(payment=owe_a_topup(booking))

    assert claim(booking).is_new


def test_a_booking_without_a_balance_owes_none():
    booking = make_hold(now=NOW)
    make_deposit_attempt(booking=booking, now=NOW)
    assert claim(booking) == Claim(answer=ChargeAnswer.BOOKING_NOT_CONFIRMED)
    confirmed = make_confirmed_booking(now=NOW)
    void(confirmed)
    assert claim(confirmed) == Claim(answer=ChargeAnswer.NO_BALANCE)


@pytest.mark.parametrize("newer", [0, 1])
def test_an_attempt_of_a_newer_release_is_under_way(newer: int):
    booking = make_confirmed_booking(now=NOW)
    attempt = attempt_of(claim(booking))
    version = policies.PROTOCOL_VERSION + newer
    PaymentAttempt.objects.filter(pk=attempt.pk).update(protocol_version=version)

    again = claim(booking)

    assert (again.attempt is None, again.answer) == (
        (True, ChargeAnswer.PROCESSING) if newer else (False, None)
    )


@contextmanager
def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> Iterator[None]:
    """Let something happen between the first look at a row and its lock."""
    lock_booking = locking.locked_booking
    with monkeypatch.context() as patch:

        def lock_later(booking_id: int) -> object:
            patch.setattr(locking, "locked_booking", lock_booking)
            happens()
            return lock_booking(booking_id)

        patch.setattr(locking, "locked_booking", lock_later)
        yield


def test_what_was_paid_while_its_row_was_waited_for_is_not_claimed(monkeypatch: pytest.MonkeyPatch):
    booking = make_confirmed_booking(now=NOW)
    balance = balance_of(booking)
    with meanwhile(monkeypatch, lambda: pay(booking)):
        answer = claims.claim_payment(payment_id=balance.pk, base_url=BASE_URL, now=DUE).answer
    assert answer == ChargeAnswer.ALREADY_PAID

    other = make_confirmed_booking(now=NOW)
    with meanwhile(monkeypatch, lambda: pay(other)), pytest.raises(NothingToPay):
        open_page(balance_of(other))


# --- The card's next try, and the page that is in its way --------------------------------------------------


def decline_and_open_page(booking: Booking, *, is_stored: bool = True) -> tuple[PaymentAttempt, datetime]:
    decline(booking)
    page = open_page(balance_of(booking))
    if is_stored:
        outcomes.store_session(attempt_id=page.pk, session=make_session(page), now=DUE)
    next_at = Dunning.objects.get().next_at
    assert next_at is not None
    return page, next_at


def test_a_try_that_is_due_names_the_page_that_is_in_its_way():
    booking = make_confirmed_booking(now=NOW)
    page, next_at = decline_and_open_page(booking)

    assert claim(booking, next_at - timedelta(seconds=1)) == Claim(answer=ChargeAnswer.REQUIRES_ACTION)
    assert claim(booking, next_at) == Claim(answer=ChargeAnswer.REQUIRES_ACTION, page=page)


def test_a_page_that_a_guest_opened_before_any_refusal_is_left_to_them():
    booking = make_confirmed_booking(now=NOW)
    page = open_page(balance_of(booking))
    outcomes.store_session(attempt_id=page.pk, session=make_session(page), now=DUE)

    assert claim(booking) == Claim(answer=ChargeAnswer.REQUIRES_ACTION)


@pytest.mark.parametrize("happens", [dispute, lock, ask_for_cancellation])
def test_no_page_is_closed_for_a_try_that_may_not_be_made(happens: Callable[[Booking], object]):
    booking = make_confirmed_booking(now=NOW)
    _, next_at = decline_and_open_page(booking)
    happens(booking)

    assert claim(booking, next_at).page is None


def test_a_page_that_is_being_opened_is_in_nobodys_way_yet():
    booking = make_confirmed_booking(now=NOW)
    _, next_at = decline_and_open_page(booking, is_stored=False)

    assert claim(booking, next_at) == Claim(answer=ChargeAnswer.REQUIRES_ACTION)


def test_a_card_is_asked_again_at_its_hour():
    booking = make_confirmed_booking(now=NOW)
    decline(booking)
    next_at = Dunning.objects.get().next_at
    assert next_at is not None

    assert claim(booking, next_at - timedelta(seconds=1)) == Claim(answer=ChargeAnswer.FAILED)
    again = claim(booking, next_at)
    assert (again.is_new, attempt_of(again).n) == (True, 2)


# --- Payment pages ------------------------------------------------------------------------------------------


def test_a_page_is_opened_once_and_found_again():
    booking = make_confirmed_booking(now=NOW)
    decline(booking)

    page = open_page(balance_of(booking))

    assert open_page(balance_of(booking), DUE + timedelta(minutes=1)) == page
    assert (page.n, page.channel, page.state) == (2, Channel.CHECKOUT, AttemptState.CLAIMED)
    assert page.session_expires_at == DUE + policies.SESSION_LIFETIME
    assert page.check_at == DUE + policies.DRIVER_LEASE
    assert page.stripe_customer_id == "cus_1"


@pytest.mark.parametrize("happens", [ask_for_cancellation, pay, void])
def test_what_is_paid_or_given_up_has_no_page(happens: Callable[[Booking], object]):
    booking = make_confirmed_booking(now=NOW)
    balance = balance_of(booking)
    happens(booking)

    with pytest.raises(NothingToPay):
        open_page(balance)


def test_the_fee_of_a_cancellation_has_a_page():
    booking = make_confirmed_booking(now=NOW)
    fee = billing.open_obligation(booking=booking, kind=PaymentKind.FEE, amount_minor=100, now=NOW)
    ask_for_cancellation(booking)

    assert open_page(fee).payment == fee


def test_no_page_opens_beside_the_saved_card():
    booking = make_confirmed_booking(now=NOW)
    claim(booking)

    with pytest.raises(PaymentUnderWay):
        open_page(balance_of(booking))


def test_a_page_of_a_newer_release_is_left_to_it():
    booking = make_confirmed_booking(now=NOW)
    page = open_page(balance_of(booking))
    PaymentAttempt.objects.filter(pk=page.pk).update(protocol_version=policies.PROTOCOL_VERSION + 1)

    with pytest.raises(NewerRelease):
        open_page(balance_of(booking))


@pytest.mark.parametrize("is_everybodys", [True, False])
def test_no_page_opens_while_collection_is_locked_and_an_open_one_is_not_shown(is_everybodys: bool):
    booking, other = make_confirmed_booking(now=NOW), make_confirmed_booking(now=NOW)
    open_page(balance_of(other))
    for each in (booking, other):
        memory.lock(unknown=1, now=NOW) if is_everybodys else lock(each)

        with pytest.raises(CollectionLocked):
            open_page(balance_of(each))


def test_a_deposit_has_a_page_while_its_hold_lasts():
    booking = make_hold(now=NOW)
    with locking.locked_booking(booking.pk) as locked:
        billing.open_account(booking=locked, now=NOW)
        deposit = billing.open_obligation(
            booking=locked, kind=PaymentKind.DEPOSIT, amount_minor=locked.quote.deposit_minor, now=NOW
        )

    with pytest.raises(HoldExpired):
        open_page(deposit, booking.hold_expires_at)
    open_page(deposit, booking.hold_expires_at - timedelta(seconds=1))

    booking.refresh_from_db()
    assert booking.checkout_open


def test_what_other_dates_cost_has_no_page_without_them():
    booking = make_confirmed_booking(now=NOW)

    with pytest.raises(HoldExpired):
        open_page(owe_a_topup(booking))


# --- What only Stripe remembers -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [IntentStatus.SUCCEEDED, IntentStatus.PROCESSING])
def test_a_restored_attempt_is_what_stripe_says_and_mails_no_second_receipt(status: IntentStatus):
    booking = make_confirmed_booking(now=NOW)
    end(attempt_of(claim(booking)))
    balance, key = balance_of(booking), uuid4()
    told = GuestEmail.objects.count()
    intent = make_intent(
        PaymentAttempt(key=key, amount_minor=balance.amount_minor, currency="mxn"), status=status
    )

    attempt = claims.restore_attempt(payment=balance, intent=intent, base_url=BASE_URL, now=DUE)

    assert (attempt.n, attempt.key, attempt.channel) == (2, key, Channel.OFF_SESSION)
    assert attempt.check_at == DUE + policies.DRIVER_LEASE
    withheld = GuestEmail.objects.order_by("-pk")[: GuestEmail.objects.count() - told]
    kinds = [(each.kind, each.dropped_at) for each in withheld]
    assert kinds == ([("receipt", DUE)] if status == IntentStatus.SUCCEEDED else [])
