"""What each of Stripe's types of events is to us: applied, a person's to look at, or ignored for a reason.

A test holds the table against the types that the installed SDK knows; what is in neither is a person's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Subject(Enum):
    """What an event is about, or whose it is."""

    ATTEMPT = auto()
    REFUND = auto()
    CHARGE = auto()
    DISPUTE = auto()
    PERSON = auto()
    NOBODY = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule:
    """What becomes of the events of some types; ``why`` is for staff, and empty where they are applied."""

    subject: Subject
    why: str = ""


_APPLIED: Mapping[Subject, tuple[str, ...]] = {
    Subject.ATTEMPT: ("payment_intent.", "checkout.session."),
    Subject.REFUND: ("refund.", "charge.refund."),
    Subject.CHARGE: ("charge.refunded",),
    Subject.DISPUTE: ("charge.dispute.",),
}

_FOR_A_PERSON: Mapping[str, tuple[str, ...]] = {
    "a bank suspects fraud: refund the charge before it is disputed, or keep the proof of the stay": (
        "radar.early_fraud_warning.",
    ),
    "Stripe asks for a look at a payment in its dashboard": ("review.opened",),
    "the house's own money did not reach its bank": ("payout.failed",),
    "Stripe has changed what the account may do": (
        "account.application.deauthorized",
        "account.updated",
        "capability.updated",
    ),
    "Stripe keeps money of the account back": ("reserve.",),
    "no release knows events of this type": ("",),
}

_IGNORED: Mapping[str, tuple[str, ...]] = {
    "the events of its PaymentIntent say the same": (
        "charge.captured",
        "charge.expired",
        "charge.failed",
        "charge.pending",
        "charge.succeeded",
        "charge.updated",
    ),
    "what has become of a customer or card is found when it is charged": (
        "customer.created",
        "customer.deleted",
        "customer.source.",
        "customer.updated",
        "mandate.",
        "payment_method.",
        "setup_intent.",
        "source.",
    ),
    "what the house is paid out concerns no booking": (
        "account.external_account.",
        "balance.",
        "balance_settings.",
        "payout.",
        "topup.",
        "transfer.",
    ),
    "the look in the dashboard was taken": ("review.closed",),
    "the 3-D Secure of a payment ends in its PaymentIntent": ("three_d_secure.",),
    "the site sells by single payments alone: it has no such objects": (
        "application_fee.",
        "apps.",
        "billing.",
        "billing_portal.",
        "cash_balance.",
        "climate.",
        "coupon.",
        "credit_note.",
        "customer.discount.",
        "customer.subscription.",
        "customer.tax_id.",
        "customer_cash_balance_transaction.",
        "entitlements.",
        "financial_connections.",
        "identity.",
        "invoice.",
        "invoice_payment.",
        "invoiceitem.",
        "issuing_authorization.",
        "issuing_card.",
        "issuing_cardholder.",
        "issuing_dispute.",
        "issuing_personalization_design.",
        "issuing_token.",
        "issuing_transaction.",
        "payment_link.",
        "person.",
        "plan.",
        "price.",
        "product.",
        "promotion_code.",
        "quote.",
        "subscription_schedule.",
        "tax.",
        "tax_rate.",
        "terminal.",
        "treasury.",
    ),
    "it tells of files, reports and tests of Stripe's, not of money": (
        "file.",
        "reporting.",
        "sigma.",
        "test_helpers.",
        "v2.core.event_destination.",
        "account.application.authorized",
    ),
}


def rule_for(event_type: str) -> EventRule:
    """Return what becomes of an event: the longest beginning of its type decides."""
    plain = plain_type(event_type)
    return _RULES[max((prefix for prefix in _RULES if plain.startswith(prefix)), key=len)]


def plain_type(event_type: str) -> str:
    """Return the type of the event that says in full what a thin one says; those of Stripe's v2 have none."""
    return event_type.removeprefix("v1.")


def known_prefixes() -> frozenset[str]:
    """Return every beginning that the table names."""
    return frozenset(_RULES) - {""}


def _read_tables() -> Iterator[tuple[str, EventRule]]:
    for subject, prefixes in _APPLIED.items():
        yield from ((prefix, EventRule(subject=subject)) for prefix in prefixes)
    for subject, table in ((Subject.PERSON, _FOR_A_PERSON), (Subject.NOBODY, _IGNORED)):
        for why, prefixes in table.items():
            yield from ((prefix, EventRule(subject=subject, why=why)) for prefix in prefixes)


_RULES: Mapping[str, EventRule] = dict(_read_tables())
