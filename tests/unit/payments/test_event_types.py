"""Every type of event that Stripe's SDK knows is applied, a person's, or ignored for a true reason."""

from __future__ import annotations

from typing import get_args

import pytest
import stripe

from payments.event_types import Subject, known_prefixes, rule_for

KNOWN = [
    type_
    for part in get_args(stripe.Event.__annotations__["type"])
    for type_ in (get_args(part) or (part,))
    if isinstance(type_, str)
]
UNKNOWN = rule_for("nobody.knows.this")


def test_the_sdk_names_hundreds_of_types():
    assert len(KNOWN) > 200


def test_every_type_that_the_sdk_knows_is_in_the_table():
    assert [type_ for type_ in KNOWN if rule_for(type_) == UNKNOWN] == []


def test_no_line_of_the_table_is_dead():
    prefixes = {prefix for prefix in known_prefixes() if not prefix.startswith("v2.")}

    assert {max(_of(type_, prefixes), key=len) for type_ in KNOWN if _of(type_, prefixes)} == prefixes


def _of(type_: str, prefixes: set[str]) -> list[str]:
    return [prefix for prefix in prefixes if type_.startswith(prefix)]


def test_what_changes_nothing_says_why_and_what_is_applied_needs_no_reason():
    rules = {type_: rule_for(type_) for type_ in KNOWN}

    with_a_reason = {type_ for type_, rule in rules.items() if rule.why}
    of_no_effect = {
        type_ for type_, rule in rules.items() if rule.subject in (Subject.PERSON, Subject.NOBODY)
    }
    assert with_a_reason == of_no_effect != set()


@pytest.mark.parametrize(
    ("type_", "subject"),
    [
        ("payment_intent.succeeded", Subject.ATTEMPT),
        ("checkout.session.expired", Subject.ATTEMPT),
        ("refund.failed", Subject.REFUND),
        ("charge.refund.updated", Subject.REFUND),
        ("charge.refunded", Subject.CHARGE),
        ("charge.dispute.created", Subject.DISPUTE),
        ("charge.dispute.funds_withdrawn", Subject.DISPUTE),
        ("charge.succeeded", Subject.NOBODY),
        ("radar.early_fraud_warning.created", Subject.PERSON),
        ("payout.failed", Subject.PERSON),
        ("payout.paid", Subject.NOBODY),
        ("invoice.paid", Subject.NOBODY),
        ("something.new", Subject.PERSON),
    ],
)
def test_each_goes_where_it_belongs(type_, subject):
    assert rule_for(type_).subject is subject


def test_a_thin_event_is_what_the_event_is_that_holds_its_object():
    assert [type_ for type_ in KNOWN if rule_for(f"v1.{type_}") != rule_for(type_)] == []


def test_what_is_thin_and_of_nothing_that_we_know_is_a_person_s():
    assert rule_for("v2.core.account.updated") == UNKNOWN
