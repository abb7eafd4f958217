"""A sum that is no number of centavos is no answer, and marks of others are none of ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from payments.stripe_readings import read_dispute, read_intent, read_refund

KEY = "7f9c24e8-3b12-4fef-91e0-4b4a2e0f1a11"


class Answer(SimpleNamespace):
    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def an_intent(**changes: Any) -> Answer:
    usual = {"id": "pi_1", "status": "succeeded", "amount": 1_000, "amount_received": 1_000}
    more = {"currency": "mxn", "customer": "cus_1", "payment_method": "pm_1", "latest_charge": "ch_1"}
    return Answer(**{**usual, **more, "last_payment_error": None, "metadata": {}, **changes})


def a_refund(**changes: Any) -> Answer:
    usual = {"id": "re_1", "payment_intent": "pi_1", "status": "succeeded", "amount": 1_000}
    return Answer(**{**usual, "currency": "mxn", "metadata": {"refund": KEY}, **changes})


def a_dispute(**changes: Any) -> Answer:
    usual = {"id": "dp_1", "payment_intent": "pi_1", "status": "needs_response", "amount": 1_000}
    more = {
        "currency": "mxn",
        "reason": "fraudulent",
        "is_charge_refundable": False,
        "created": 1_790_000_000,
    }
    dates = {"created": 1_790_000_000, "evidence_details": SimpleNamespace(due_by=0)}
    return Answer(**{**usual, **more, **dates, "balance_transactions": [], **changes})


NO_SUMS = [1.5, 1_000.0, "1000", None, True, 2**63, -(2**64)]


@pytest.mark.parametrize("amount", NO_SUMS)
def test_a_sum_that_is_no_number_of_centavos_cannot_be_read(amount: object):
    moved = [SimpleNamespace(id="txn_1", amount=amount, currency="mxn")]
    for read, answer in (
        (read_intent, an_intent(amount_received=amount)),
        (read_intent, an_intent(status="processing", amount=amount)),
        (read_refund, a_refund(amount=amount)),
        (read_dispute, a_dispute(amount=amount)),
        (read_dispute, a_dispute(balance_transactions=moved)),
    ):
        with pytest.raises(ValueError, match="centavos"):
            read(answer)


@pytest.mark.parametrize("currency", [None, "", "MX", 484, "pesos", []])
def test_a_sum_of_which_nobody_says_in_what_cannot_be_read(currency: object):
    moved = [SimpleNamespace(id="txn_1", amount=1_000, currency=currency)]
    for read, answer in (
        (read_intent, an_intent(currency=currency)),
        (read_refund, a_refund(currency=currency)),
        (read_dispute, a_dispute(currency=currency)),
        (read_dispute, a_dispute(balance_transactions=moved)),
    ):
        with pytest.raises(ValueError, match="currency"):
            read(answer)


def test_what_was_taken_counts_once_money_was_taken():
    assert read_intent(an_intent(amount_received=900)).amount_minor == 900
    assert read_intent(an_intent(status="processing", amount_received=0)).amount_minor == 1_000
    assert read_refund(a_refund()).amount_minor == 1_000
    assert read_dispute(a_dispute()).amount_minor == 1_000


@pytest.mark.parametrize("mark", ["yes", "1", "", None, 7, KEY + "\x00", "x" * 10_000])
def test_a_key_that_is_no_key_of_ours_is_none(mark: object):
    assert read_intent(an_intent(metadata={"attempt": mark})).attempt_key == ""
    assert read_refund(a_refund(metadata={"refund": mark})).refund_key == ""


@pytest.mark.parametrize("mark", ["\x00", "\ud800", "x" * 101])
def test_a_mark_that_cannot_be_stored_is_none(mark: str):
    marks = read_intent(an_intent(metadata={"booking": mark, "payment": mark, "attempt": KEY})).marks

    assert (marks.booking, marks.payment) == ("", "")


def test_our_own_marks_are_read_as_they_were_written():
    intent = read_intent(an_intent(metadata={"booking": KEY, "payment": "balance:1", "attempt": KEY}))

    assert (intent.attempt_key, intent.marks.booking, intent.marks.payment) == (KEY, KEY, "balance:1")
