"""What the database itself refuses about money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from bookings.models import Booking, NightBlock
from payments import policies
from payments.ledger import claims, outcomes
from payments.models import (
    BookingAccount,
    Dispute,
    GuestEmail,
    LedgerTransfer,
    Payment,
    PaymentAttempt,
    Refund,
    StripeEvent,
)
from payments.policies import AttemptState, DisputeStatus, PaymentKind
from tests.factories import (
    BASE_URL,
    balance_of,
    make_confirmed_booking,
    make_deposit_attempt,
    make_hold,
    make_intent,
)
from tests.integration.constraints import (
    assert_only_the_database_prevents,
    drop_constraint,
    drop_index,
    drop_rules,
    drop_trigger,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 18, tzinfo=UTC)
DUE = NOW + timedelta(days=15)

ACCOUNT = "payments_bookingaccount"
PAYMENT = "payments_payment"
ATTEMPT = "payments_paymentattempt"
TRANSFER = "payments_ledgertransfer"
REFUND = "payments_refund"


def claim_balance(booking: Booking) -> PaymentAttempt:
    attempt = claims.claim_balance(booking_id=booking.pk, base_url=BASE_URL, now=DUE).attempt
    assert attempt is not None
    return attempt


def pay_balance(booking: Booking) -> PaymentAttempt:
    attempt = claim_balance(booking)
    return outcomes.record_intent(attempt_id=attempt.pk, intent=make_intent(attempt), now=DUE)


def insert_attempt(payment: Payment, **overrides: object) -> PaymentAttempt:
    usual: dict[str, object] = {
        "payment": payment,
        "n": payment.attempts.count() + 1,
        "channel": "off_session",
        "amount_minor": payment.amount_minor,
        "currency": "mxn",
        "base_url": BASE_URL,
        "check_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return PaymentAttempt.objects.create(**{**usual, **overrides})


def force(attempt: PaymentAttempt, **columns: object) -> None:
    PaymentAttempt.objects.filter(pk=attempt.pk).update(**columns)


def post(booking: Booking, **overrides: object) -> LedgerTransfer:
    usual: dict[str, object] = {
        "booking": booking,
        "source_type": "quote",
        "source_id": "test",
        "debit": "receivable",
        "credit": "lodging",
        "amount_minor": 100,
        "currency": "mxn",
        "posted_at": NOW,
    }
    return LedgerTransfer.objects.create(**{**usual, **overrides})


def insert_refund(attempt: PaymentAttempt, amount_minor: int) -> Refund:
    return Refund.objects.create(
        attempt=attempt,
        amount_minor=amount_minor,
        currency="mxn",
        reason="test",
        check_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


def test_a_payment_has_one_attempt_that_is_live_or_won():
    booking = make_confirmed_booking(now=NOW)
    claim_balance(booking)
    drop_rules(drop_constraint(ACCOUNT, "payments_never_take_more_than_is_owed"))

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(balance_of(booking)),
        rule="payments_one_live_or_won_attempt",
        drop=drop_index("payments_one_live_or_won_attempt"),
    )


def test_a_paid_balance_is_never_attempted_again():
    booking = make_confirmed_booking(now=NOW)
    pay_balance(booking)
    drop_rules(drop_constraint(ACCOUNT, "payments_never_take_more_than_is_owed"))

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(balance_of(booking)),
        rule="payments_one_live_or_won_attempt",
        drop=drop_index("payments_one_live_or_won_attempt"),
    )


def test_the_index_of_live_attempts_knows_the_same_states_as_the_code():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state FROM unnest(%s::text[]) state WHERE payments_is_live(state)", [list(AttemptState)]
        )
        live = {state for (state,) in cursor.fetchall()}

    assert live == set(policies.LIVE_STATES)


def test_never_more_is_taken_than_is_owed_even_by_another_payment():
    booking = make_confirmed_booking(now=NOW)
    pay_balance(booking)
    extra = Payment.objects.create(
        booking=booking, kind=PaymentKind.EXTENSION, amount_minor=1, currency="mxn", created_at=NOW
    )

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(extra),
        rule="payments_never_take_more_than_is_owed",
        drop=drop_constraint(ACCOUNT, "payments_never_take_more_than_is_owed"),
    )


def test_what_is_owed_never_sinks_below_what_was_taken_without_an_open_refund():
    booking = make_confirmed_booking(now=NOW)
    total = booking.quote.total_minor

    assert_only_the_database_prevents(
        fault=lambda: post(booking, debit="lodging", credit="receivable", amount_minor=total),
        rule="payments_never_take_more_than_is_owed",
        drop=drop_constraint(ACCOUNT, "payments_never_take_more_than_is_owed"),
    )


def test_never_more_is_refunded_than_was_taken():
    booking = make_confirmed_booking(now=NOW)
    deposit = PaymentAttempt.objects.get(payment__booking=booking)
    insert_refund(deposit, deposit.amount_minor)

    assert_only_the_database_prevents(
        fault=lambda: insert_refund(deposit, 1),
        rule="payments_never_refund_more_than_was_taken",
        drop=drop_constraint(ACCOUNT, "payments_never_refund_more_than_was_taken"),
    )


def test_no_sum_of_an_account_is_negative():
    booking = make_confirmed_booking(now=NOW)
    drop_rules(
        drop_constraint(ACCOUNT, "payments_never_take_more_than_is_owed"),
        drop_constraint(ACCOUNT, "payments_never_refund_more_than_was_taken"),
    )

    assert_only_the_database_prevents(
        fault=lambda: post(
            booking, debit="lodging", credit="receivable", amount_minor=booking.quote.total_minor + 1
        ),
        rule="payments_account_sums_are_not_negative",
        drop=drop_constraint(ACCOUNT, "payments_account_sums_are_not_negative"),
    )


def test_the_account_is_written_by_the_ledger_alone():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: BookingAccount.objects.filter(booking=booking).update(owed_minor=10**9),
        rule="follow from the ledger",
        drop=drop_trigger(ACCOUNT, "payments_account_is_derived"),
    )


def test_an_account_starts_empty():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: BookingAccount.objects.create(booking=booking, owed_minor=1),
        rule="follow from the ledger",
        drop=drop_trigger(ACCOUNT, "payments_account_starts_empty"),
    )


def test_each_cause_posts_once():
    booking = make_confirmed_booking(now=NOW)
    post(booking, source_id="once")

    assert_only_the_database_prevents(
        fault=lambda: post(booking, source_id="once"),
        rule="payments_each_cause_posts_once",
        drop=drop_constraint(TRANSFER, "payments_each_cause_posts_once"),
    )


@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_ledger_is_append_only(change):
    transfer = post(make_confirmed_booking(now=NOW))
    rows = LedgerTransfer.objects.filter(pk=transfer.pk)

    assert_only_the_database_prevents(
        fault=(lambda: rows.update(amount_minor=1)) if change == "update" else rows.delete,
        rule="append-only",
        drop=drop_trigger(TRANSFER, "payments_ledger_is_append_only"),
    )


def test_a_transfer_needs_an_account_to_move():
    booking = make_hold(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: post(booking),
        rule="has no account",
        drop=drop_trigger(TRANSFER, "payments_transfer_moves_the_account"),
    )


def test_an_attempt_needs_an_account_to_be_bounded_by():
    booking = make_hold(now=NOW)
    deposit = Payment.objects.create(
        booking=booking, kind=PaymentKind.DEPOSIT, amount_minor=1, currency="mxn", created_at=NOW
    )

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(deposit),
        rule="has no account",
        drop=drop_trigger(ATTEMPT, "payments_attempt_is_reserved"),
    )


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"amount_minor": 0}, "payments_transfer_is_positive"),
        ({"credit": "receivable"}, "payments_transfer_has_two_sides"),
        ({"debit": "pocket"}, "payments_transfer_has_two_sides"),
    ],
)
def test_a_transfer_moves_something_between_two_accounts(changed, rule):
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: post(booking, **changed), rule=rule, drop=drop_constraint(TRANSFER, rule)
    )


def test_money_at_stripe_moves_only_by_an_attempt_or_a_refund():
    booking = make_confirmed_booking(now=NOW)
    claim_balance(booking)

    assert_only_the_database_prevents(
        fault=lambda: post(booking, debit="stripe", credit="receivable", source_type="payment_intent"),
        rule="no attempt or refund moved",
        drop=drop_trigger(TRANSFER, "payments_transfer_has_a_cause"),
    )


def test_an_attempt_succeeds_together_with_its_transfer():
    booking = make_confirmed_booking(now=NOW)
    attempt = claim_balance(booking)

    assert_only_the_database_prevents(
        fault=lambda: force(attempt, state="succeeded", stripe_intent_id="pi_lonely"),
        rule="succeeded without a transfer",
        drop=drop_trigger(ATTEMPT, "payments_capture_is_posted"),
    )


def test_a_refund_is_paid_together_with_its_transfer():
    deposit = PaymentAttempt.objects.get(payment__booking=make_confirmed_booking(now=NOW))
    refund = insert_refund(deposit, 100)

    assert_only_the_database_prevents(
        fault=lambda: Refund.objects.filter(pk=refund.pk).update(state="succeeded", stripe_refund_id="re_1"),
        rule="succeeded without a transfer",
        drop=drop_trigger(REFUND, "payments_refund_is_posted"),
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount_minor", 1),
        ("key", "00000000-0000-0000-0000-000000000000"),
        ("stripe_payment_method_id", "pm_other"),
        ("stripe_customer_id", "cus_other"),
        ("base_url", "https://other.example"),
        ("stripe_intent_id", "pi_other"),
    ],
)
def test_what_an_attempt_asks_of_stripe_never_changes(column, value):
    attempt = claim_balance(make_confirmed_booking(now=NOW))
    waiting = make_intent(attempt, status=policies.IntentStatus.REQUIRES_CONFIRMATION)
    outcomes.store_intent(attempt_id=attempt.pk, intent=waiting, now=DUE)

    assert_only_the_database_prevents(
        fault=lambda: force(attempt, **{column: value}),
        rule="is fixed when it is claimed",
        drop=drop_trigger(ATTEMPT, "payments_attempt_moves_forward"),
    )


def test_an_attempt_that_ended_never_lives_again():
    booking = make_hold(now=NOW)
    attempt = make_deposit_attempt(booking=booking, now=NOW)
    force(attempt, state="expired", proof="cs expired")

    assert_only_the_database_prevents(
        fault=lambda: force(attempt, state="open"),
        rule="cannot go from expired to open",
        drop=drop_trigger(ATTEMPT, "payments_attempt_moves_forward"),
    )


def test_an_attempt_begins_as_a_claim():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(balance_of(booking), state="unknown"),
        rule="begins as claimed",
        drop=drop_trigger(ATTEMPT, "payments_attempt_moves_forward"),
    )


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"state": "declined"}, "payments_dead_attempt_has_proof"),
        ({"state": "confirming"}, "payments_money_is_moved_by_a_stored_id"),
        ({"state": "open"}, "payments_open_session_is_stored"),
    ],
)
def test_a_state_comes_with_what_it_rests_on(columns, rule):
    attempt = claim_balance(make_confirmed_booking(now=NOW))

    assert_only_the_database_prevents(
        fault=lambda: force(attempt, **columns), rule=rule, drop=drop_constraint(ATTEMPT, rule)
    )


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"n": 1}, "payments_attempt_number"),
        ({"amount_minor": 0}, "payments_attempt_is_positive"),
        ({"channel": "cash"}, "payments_attempt_words_known"),
    ],
)
def test_an_attempt_makes_sense(columns, rule):
    booking = make_confirmed_booking(now=NOW)
    first = claim_balance(booking)
    force(first, state="canceled", proof="pi canceled")

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(balance_of(booking), **columns),
        rule=rule,
        drop=drop_constraint(ATTEMPT, rule),
    )


@pytest.mark.parametrize("column", ["stripe_intent_id", "stripe_session_id", "key"])
def test_two_attempts_never_share_an_object_at_stripe_or_a_key(column):
    deposit = PaymentAttempt.objects.get(payment__booking=make_confirmed_booking(now=NOW))
    balance = balance_of(make_confirmed_booking(now=NOW))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint"
            " WHERE conrelid = %s::regclass AND contype = 'u' AND conkey = ARRAY["
            "(SELECT attnum FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s)]",
            [ATTEMPT, ATTEMPT, column],
        )
        (rule,) = cursor.fetchone()

    assert_only_the_database_prevents(
        fault=lambda: insert_attempt(balance, **{column: getattr(deposit, column)}),
        rule=rule,
        drop=drop_constraint(ATTEMPT, rule),
    )


def test_a_booking_has_one_balance():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: Payment.objects.create(
            booking=booking, kind=PaymentKind.BALANCE, seq=2, amount_minor=1, currency="mxn", created_at=NOW
        ),
        rule="payments_one_balance_per_booking",
        drop=drop_index("payments_one_balance_per_booking"),
    )


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"kind": "deposit", "seq": 1}, "payments_payment_number"),
        ({"amount_minor": 0}, "payments_payment_is_positive"),
        ({"kind": "gift"}, "payments_payment_kind_known"),
        ({"status": "nice"}, "payments_payment_status_known"),
    ],
)
def test_a_payment_makes_sense(columns, rule):
    usual = {"kind": "fee", "seq": 1, "amount_minor": 1, "currency": "mxn", "created_at": NOW}
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: Payment.objects.create(booking=booking, **{**usual, **columns}),
        rule=rule,
        drop=drop_constraint(PAYMENT, rule),
    )


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"amount_minor": 1}, "was already attempted"),
        ({"kind": "fee"}, "was already attempted"),
        ({"status": "paid"}, "no attempt that succeeded"),
        ({"status": "void"}, "may still take money"),
    ],
)
def test_a_payment_under_way_is_neither_changed_nor_ended(columns, rule):
    booking = make_confirmed_booking(now=NOW)
    attempt = claim_balance(booking)

    assert_only_the_database_prevents(
        fault=lambda: Payment.objects.filter(pk=attempt.payment_id).update(**columns),
        rule=rule,
        drop=drop_trigger(PAYMENT, "payments_payment_ends_once"),
    )


def test_a_paid_payment_stays_paid():
    booking = make_confirmed_booking(now=NOW)
    pay_balance(booking)

    assert_only_the_database_prevents(
        fault=lambda: Payment.objects.filter(pk=balance_of(booking).pk).update(status="failed"),
        rule="is paid for good",
        drop=drop_trigger(PAYMENT, "payments_payment_ends_once"),
    )


def test_nights_stay_blocked_while_money_may_still_be_taken():
    booking = make_hold(now=NOW)
    make_deposit_attempt(booking=booking, now=NOW)
    drop_rules(drop_trigger("bookings_nightblock", "bookings_block_belongs_to_a_living_booking"))

    assert_only_the_database_prevents(
        fault=lambda: NightBlock.objects.filter(booking=booking).update(
            active=False, released_at=NOW, release_proof="guess"
        ),
        rule="may still be paid for",
        drop=drop_trigger("bookings_nightblock", "payments_nights_stay_while_money_moves"),
    )


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"state": "lost"}, "payments_refund_makes_sense"),
        ({"state": "submitted"}, "payments_refund_at_stripe_has_its_id"),
    ],
)
def test_a_refund_makes_sense(columns, rule):
    deposit = PaymentAttempt.objects.get(payment__booking=make_confirmed_booking(now=NOW))
    refund = insert_refund(deposit, 100)

    assert_only_the_database_prevents(
        fault=lambda: Refund.objects.filter(pk=refund.pk).update(**columns),
        rule=rule,
        drop=drop_constraint(REFUND, rule),
    )


def insert_event(**overrides: object) -> StripeEvent:
    usual: dict[str, object] = {
        "event_id": "evt_1",
        "type": "payment_intent.succeeded",
        "object_id": "pi_1",
        "payload": {},
        "created_at": NOW,
        "received_at": NOW,
    }
    return StripeEvent.objects.create(**{**usual, **overrides})


def test_an_event_is_stored_once():
    insert_event()

    assert_only_the_database_prevents(
        fault=insert_event,
        rule="payments_stripeevent_pkey",
        drop=drop_constraint("payments_stripeevent", "payments_stripeevent_pkey"),
    )


@pytest.mark.parametrize("change", ["payload", "delete"])
def test_what_stripe_told_us_is_kept_as_it_came(change):
    insert_event()
    rows = StripeEvent.objects.filter(pk="evt_1")

    assert_only_the_database_prevents(
        fault=(lambda: rows.update(payload={"forged": True})) if change == "payload" else rows.delete,
        rule="kept as it came",
        drop=drop_trigger("payments_stripeevent", "payments_events_are_kept"),
    )


def test_an_event_is_in_a_state_that_somebody_knows():
    assert_only_the_database_prevents(
        fault=lambda: insert_event(state="lost"),
        rule="payments_event_state_known",
        drop=drop_constraint("payments_stripeevent", "payments_event_state_known"),
    )


def test_a_guest_gets_one_email_per_cause():
    booking = make_confirmed_booking(now=NOW)

    def insert() -> None:
        GuestEmail.objects.create(booking=booking, kind="cancelled", base_url=BASE_URL, created_at=NOW)

    insert()
    assert_only_the_database_prevents(
        fault=insert,
        rule="payments_one_email_per_version",
        drop=drop_constraint("payments_guestemail", "payments_one_email_per_version"),
    )


def test_an_email_is_of_a_kind_that_somebody_knows():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: GuestEmail.objects.create(
            booking=booking, kind="spam", base_url=BASE_URL, created_at=NOW
        ),
        rule="payments_email_kind_known",
        drop=drop_constraint("payments_guestemail", "payments_email_kind_known"),
    )


def insert_dispute(attempt: PaymentAttempt, **overrides: object) -> Dispute:
    usual: dict[str, object] = {
        "attempt": attempt,
        "stripe_dispute_id": "dp_1",
        "amount_minor": attempt.amount_minor,
        "currency": "mxn",
        "reason": "fraudulent",
        "status": "needs_response",
        "is_refundable": False,
        "opened_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Dispute.objects.create(**{**usual, **overrides})


def deposit_of(booking: Booking) -> PaymentAttempt:
    return PaymentAttempt.objects.get(payment__booking=booking, payment__kind=PaymentKind.DEPOSIT)


@pytest.mark.parametrize("status", [each.value for each in DisputeStatus])
def test_no_card_is_charged_for_a_booking_of_which_a_charge_is_disputed(status):
    booking = make_confirmed_booking(now=NOW)
    insert_dispute(deposit_of(booking), status=status)

    if status in policies.HARMLESS_DISPUTES:
        insert_attempt(balance_of(booking))
    else:
        assert_only_the_database_prevents(
            fault=lambda: insert_attempt(balance_of(booking)),
            rule="is disputed: nothing is collected",
            drop=drop_trigger(ATTEMPT, "payments_disputes_stop_collection"),
        )


def test_an_attempt_that_was_claimed_before_the_dispute_is_not_confirmed():
    booking = make_confirmed_booking(now=NOW)
    attempt = claim_balance(booking)
    force(attempt, state="created", stripe_intent_id="pi_9")
    insert_dispute(deposit_of(booking))

    assert_only_the_database_prevents(
        fault=lambda: force(attempt, state="confirming"),
        rule="is disputed: nothing is collected",
        drop=drop_trigger(ATTEMPT, "payments_disputes_stop_collection"),
    )


@pytest.mark.parametrize("status", [each.value for each in DisputeStatus])
def test_disputed_money_is_not_refunded(status):
    booking = make_confirmed_booking(now=NOW)
    insert_dispute(deposit_of(booking), status=status)

    if status in policies.HARMLESS_DISPUTES:
        insert_refund(deposit_of(booking), 100)
    else:
        assert_only_the_database_prevents(
            fault=lambda: insert_refund(deposit_of(booking), 100),
            rule="is disputed: it is not refunded",
            drop=drop_trigger(REFUND, "payments_disputed_money_is_not_refunded"),
        )


def test_a_dispute_is_stored_once():
    deposit = deposit_of(make_confirmed_booking(now=NOW))
    insert_dispute(deposit)

    assert_only_the_database_prevents(
        fault=lambda: insert_dispute(deposit),
        rule="payments_dispute_stripe_dispute_id",
        drop=drop_unique("payments_dispute", "stripe_dispute_id"),
    )


@pytest.mark.parametrize("columns", [{"amount_minor": 0}, {"status": "odd"}, {"withheld_minor": -1}])
def test_a_dispute_makes_sense(columns):
    deposit = deposit_of(make_confirmed_booking(now=NOW))

    assert_only_the_database_prevents(
        fault=lambda: insert_dispute(deposit, **columns),
        rule="payments_dispute_makes_sense",
        drop=drop_constraint("payments_dispute", "payments_dispute_makes_sense"),
    )


def test_what_a_dispute_is_about_is_fixed():
    dispute = insert_dispute(deposit_of(make_confirmed_booking(now=NOW)))

    assert_only_the_database_prevents(
        fault=lambda: Dispute.objects.filter(pk=dispute.pk).update(stripe_dispute_id="dp_2"),
        rule="is about is fixed",
        drop=drop_trigger("payments_dispute", "payments_dispute_is_fixed"),
    )


def test_the_ledger_takes_no_money_for_a_dispute_that_is_not_there():
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: post(
            booking, source_type="dispute", source_id="dp_0:txn_1", debit="disputes", credit="stripe"
        ),
        rule="moves money that no attempt or refund moved",
        drop=drop_trigger(TRANSFER, "payments_transfer_has_a_cause"),
    )


@pytest.mark.parametrize("sum_", ["disputed_minor", "lost_minor"])
def test_nobody_writes_what_is_held_or_lost_in_disputes(sum_):
    booking = make_confirmed_booking(now=NOW)

    assert_only_the_database_prevents(
        fault=lambda: BookingAccount.objects.filter(booking=booking).update(**{sum_: 1}),
        rule="follow from the ledger",
        drop=drop_trigger(ACCOUNT, "payments_account_is_derived"),
    )


def test_a_refund_is_replaced_once():
    deposit = deposit_of(make_confirmed_booking(now=NOW))
    first = insert_refund(deposit, 100)

    def replace() -> None:
        Refund.objects.filter(pk=insert_refund(deposit, 100).pk).update(replaces=first)

    replace()
    assert_only_the_database_prevents(
        fault=replace, rule="payments_refund_replaces_id", drop=drop_unique(REFUND, "replaces_id")
    )


def test_a_refund_that_is_given_up_is_reserved_no_more():
    booking = make_confirmed_booking(now=NOW)
    refund = insert_refund(deposit_of(booking), 100)
    reserved = BookingAccount.objects.get(booking=booking).refunding_minor

    Refund.objects.filter(pk=refund.pk).update(state="void")

    assert (reserved, BookingAccount.objects.get(booking=booking).refunding_minor) == (100, 0)


def drop_unique(table: str, column: str) -> str:
    """Return what takes a column's own unique constraint away, whatever Django has called it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'u' AND conkey ="
            " ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s)]",
            [table, table, column],
        )
        (name,) = cursor.fetchone()
    return drop_constraint(table, name)
