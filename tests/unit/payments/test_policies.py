"""What follows from the state of a payment."""

from __future__ import annotations

import datetime as dt

import pytest

from payments import policies
from payments.policies import (
    Channel,
    ChargeAnswer,
    ChargeFacts,
    IntentStatus,
    LastLook,
    Objection,
    PaymentStatus,
    Step,
)


@pytest.mark.parametrize(
    ("has_intent", "intent_status", "may_confirm", "step"),
    [
        (False, None, True, Step.CREATE),
        (True, None, True, Step.RETRIEVE),
        (True, IntentStatus.REQUIRES_CONFIRMATION, True, Step.CONFIRM),
        (True, IntentStatus.REQUIRES_CONFIRMATION, False, Step.CANCEL),
        (True, IntentStatus.REQUIRES_PAYMENT_METHOD, True, Step.CANCEL),
        (True, IntentStatus.REQUIRES_ACTION, True, Step.CANCEL),
        (True, IntentStatus.SUCCEEDED, True, Step.RECORD),
        (True, IntentStatus.SUCCEEDED, False, Step.RECORD),
        (True, IntentStatus.PROCESSING, True, Step.RECORD),
        (True, IntentStatus.CANCELED, True, Step.RECORD),
    ],
)
def test_the_next_step_follows_from_what_is_stored_and_what_stripe_says(
    has_intent, intent_status, may_confirm, step
):
    assert step == policies.next_step(
        has_intent=has_intent, intent_status=intent_status, may_confirm=may_confirm
    )


@pytest.mark.parametrize(
    ("wrong", "objection"),
    [
        ({}, None),
        ({"is_chargeable": False}, Objection.BOOKING_NOT_CONFIRMED),
        ({"is_disputed": True}, Objection.DISPUTED),
        ({"is_due": False}, Objection.NOT_DUE),
        ({"amount_agrees": False}, Objection.AMOUNT_CHANGED),
        ({"is_locked": True}, Objection.LOCKED),
    ],
)
def test_each_fact_of_the_last_look_can_forbid_the_confirmation(wrong, objection):
    usual = {
        "is_chargeable": True,
        "is_disputed": False,
        "is_due": True,
        "amount_agrees": True,
        "is_locked": False,
    }

    assert policies.find_objection(LastLook(**{**usual, **wrong})) == objection


def facts(**overrides: object) -> ChargeFacts:
    usual: dict[str, object] = {
        "is_confirmed": True,
        "payment_status": PaymentStatus.PENDING,
        "has_pending_topup": False,
        "live_channel": None,
        "is_disputed": False,
        "is_due": True,
        "is_locked": False,
        "is_try_due": False,
        "has_method": True,
    }
    return ChargeFacts(**{**usual, **overrides})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({}, None),
        ({"is_confirmed": False}, ChargeAnswer.BOOKING_NOT_CONFIRMED),
        ({"payment_status": None}, ChargeAnswer.NO_BALANCE),
        ({"payment_status": PaymentStatus.VOID}, ChargeAnswer.NO_BALANCE),
        ({"payment_status": PaymentStatus.PAID}, ChargeAnswer.ALREADY_PAID),
        ({"has_pending_topup": True}, ChargeAnswer.PENDING_TOPUP),
        ({"live_channel": Channel.OFF_SESSION}, None),
        ({"live_channel": Channel.OFF_SESSION, "is_due": False}, None),
        ({"live_channel": Channel.CHECKOUT}, ChargeAnswer.REQUIRES_ACTION),
        ({"is_disputed": True}, ChargeAnswer.DISPUTED),
        ({"is_due": False}, ChargeAnswer.NOT_DUE),
        ({"is_locked": True}, ChargeAnswer.LOCKED),
        ({"is_locked": True, "live_channel": Channel.OFF_SESSION}, None),
        ({"has_method": False}, ChargeAnswer.MISSING_METHOD),
        ({"payment_status": PaymentStatus.REQUIRES_ACTION}, ChargeAnswer.REQUIRES_ACTION),
        ({"payment_status": PaymentStatus.FAILED}, ChargeAnswer.FAILED),
        ({"payment_status": PaymentStatus.FAILED, "is_try_due": True}, None),
        ({"payment_status": PaymentStatus.REQUIRES_ACTION, "is_try_due": True}, None),
        ({"is_try_due": True, "is_disputed": True}, ChargeAnswer.DISPUTED),
        ({"live_channel": Channel.CHECKOUT, "is_try_due": True}, ChargeAnswer.REQUIRES_ACTION),
        ({"payment_status": PaymentStatus.UNKNOWN, "live_channel": Channel.OFF_SESSION}, None),
    ],
)
def test_a_charge_ends_early_for_one_reason(changed, answer):
    assert policies.early_exit(facts(**changed)) is answer


def test_a_paid_balance_is_never_attempted_whatever_else_is_true():
    for channel in (None, *Channel):
        for is_due in (True, False):
            paid = facts(payment_status=PaymentStatus.PAID, live_channel=channel, is_due=is_due)

            assert policies.early_exit(paid) is ChargeAnswer.ALREADY_PAID


@pytest.mark.parametrize(
    ("base_url", "is_refused"),
    [
        ("https://reyes.example", False),
        ("http://127.0.0.1:8000", False),
        ("https://reyes.example/es/", False),
        (1234.5, True),
        (None, True),
        ("", True),
        ("reyes.example", True),
        ("ftp://reyes.example", True),
        ("https://", True),
        ("https://reyes.example/?next=1", True),
        ("https://user@reyes.example", True),
    ],
)
def test_a_base_url_is_the_address_of_a_site(base_url, is_refused):
    assert (policies.base_url_problem(base_url) is not None) is is_refused


@pytest.mark.parametrize(
    ("key", "api_base", "debug", "production", "is_refused"),
    [
        ("sk_test_1", "https://api.stripe.com", True, False, False),
        ("sk_live_1", "https://api.stripe.com", False, True, False),
        ("rk_live_1", "https://api.stripe.com", False, True, False),
        ("sk_live_1", "https://api.stripe.com", True, False, True),
        ("sk_test_1", "https://api.stripe.com", False, True, True),
        ("sk_live_1", "http://127.0.0.1:12111", False, True, True),
        ("pk_live_1", "https://api.stripe.com", False, True, True),
        ("", "https://api.stripe.com", True, False, True),
    ],
)
def test_a_key_is_refused_where_it_would_take_money_by_mistake_or_none(
    key, api_base, debug, production, is_refused
):
    problem = policies.stripe_key_problem(
        secret_key=key, api_base=api_base, debug=debug, production=production
    )

    assert (problem is not None) is is_refused
    assert problem is None or key == "" or key not in problem


def test_a_refund_takes_from_the_newest_capture_first():
    parts = policies.split_refund(120, [(3, 50), (2, 0), (1, 100)])

    assert parts == [(3, 50), (1, 70)]


def test_more_than_was_captured_cannot_be_refunded():
    with pytest.raises(ValueError, match="10 centavos more"):
        policies.split_refund(160, [(2, 50), (1, 100)])


def test_the_janitor_looks_further_and_further_apart_and_then_calls_a_person():
    delays = [policies.check_delay(checks) for checks in range(12)]

    assert delays == sorted(delays)
    assert sum(delays[:3], dt.timedelta()) < dt.timedelta(minutes=3), "two bad answers cost no more"
    assert sum(delays[:6], dt.timedelta()) == dt.timedelta(minutes=2), "nor do five more than two minutes"
    assert [policies.needs_a_person(checks) for checks in (10, 11)] == [False, True]
    assert sum(policies.CHECK_BACKOFF[:10], dt.timedelta()) > dt.timedelta(hours=7), "by then it is no hiccup"


@pytest.mark.parametrize(
    ("room", "left"),
    [
        (600, {}),
        (500, {}),
        (499, {2: 299}),
        (200, {2: 0}),
        (150, {2: 0, 1: 150}),
        (0, {2: 0, 1: 0}),
        (-5, {2: 0, 1: 0}),
    ],
)
def test_refunds_that_wait_are_cut_to_the_room_the_newest_first(room, left):
    assert policies.cut_waiting([(2, 300), (1, 200)], room) == left


def test_a_dispute_only_goes_forward():
    way = ["warning_needs_response", "warning_closed", "needs_response", "lost"]
    stages = [policies.dispute_stage(policies.DisputeStatus(status)) for status in way]

    assert stages == sorted(set(stages))
    assert policies.dispute_stage(policies.DisputeStatus.APPEAL_NEEDS_RESPONSE) == stages[-1]
    assert set(policies.OPEN_DISPUTES) | set(policies.CLOSED_DISPUTES) == set(policies.DisputeStatus)


def test_a_dispute_is_open_until_a_bank_has_ended_it():
    ended = {"won", "lost", "warning_closed", "prevented"}

    assert set(policies.OPEN_DISPUTES) == {status.value for status in policies.DisputeStatus} - ended


def test_what_was_said_of_a_later_stage_of_a_dispute_is_not_replaced():
    order = ("warning_needs_response", "warning_closed", "needs_response", "won")

    assert [policies.dispute_stage(policies.DisputeStatus(status)) for status in order] == [0, 1, 2, 3]


def test_every_break_but_those_of_refunds_locks_the_charges_of_its_booking():
    locking = {kind.value for kind in policies.BreakKind} - {"foreign_refund", "refund_differs"}

    assert set(policies.LOCKING_BREAKS) == locking
