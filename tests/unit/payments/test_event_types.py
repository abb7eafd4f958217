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


@pytest.mark.parametrize("type_", KNOWN)
def test_every_type_that_the_sdk_knows_is_in_the_table(type_):
    assert rule_for(type_) != UNKNOWN


@pytest.mark.parametrize("prefix", sorted(known_prefixes()))
def test_no_line_of_the_table_is_dead(prefix):
    assert prefix.startswith("v2.") or any(
        type_.startswith(prefix) and not _is_shadowed(type_, prefix) for type_ in KNOWN
    )


def _is_shadowed(type_: str, prefix: str) -> bool:
    return any(
        len(other) > len(prefix) and type_.startswith(other) for other in known_prefixes() if other != prefix
    )


@pytest.mark.parametrize("type_", KNOWN)
def test_what_changes_nothing_says_why_and_what_is_applied_needs_no_reason(type_):
    rule = rule_for(type_)

    assert bool(rule.why) is (rule.subject in (Subject.PERSON, Subject.NOBODY))


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


@pytest.mark.parametrize("type_", KNOWN)
def test_a_thin_event_is_what_the_event_is_that_holds_its_object(type_):
    assert rule_for(f"v1.{type_}") == rule_for(type_)


def test_what_is_thin_and_of_nothing_that_we_know_is_a_person_s():
    assert rule_for("v2.core.account.updated") == UNKNOWN
