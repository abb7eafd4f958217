"""The faults the house is held against, each by its id, with the tests that hold it; and the points of death.

The ids are stable: they name a fault in the record and in reports. What has nothing to strike in this house
says so instead of naming a test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.faults import cases_of_money, cases_of_queue, cases_of_stripe
from tests.faults.case import DEATHS, Case


@dataclass(frozen=True, slots=True)
class PointOfDeath:
    """As which case a death at a point counts, and the first scenario that comes by it."""

    case: str
    scenario: str


# A point that is reached and not here fails a test.
POINTS = {
    "call GET account of payments.unexplained read_account": PointOfDeath("X5", "resumed"),
    "call GET checkout/sessions of payments.driver _require_nothing_unexplained": PointOfDeath(
        "X5", "longer_stay"
    ),
    "call GET checkout/sessions of payments.driver _resume_checkout": PointOfDeath(
        "A9", "page_without_an_answer"
    ),
    "call GET checkout/sessions of payments.unexplained _readable": PointOfDeath("X5", "cancelled_in_doubt"),
    "call GET checkout/sessions/cs of payments.driver _look_at_session": PointOfDeath("A5", "customer_gone"),
    "call GET customers/cus of payments.driver _record_missing": PointOfDeath("B16", "customer_gone"),
    "call GET disputes of payments.protocols.reconcile _reconcile_disputes": PointOfDeath(
        "X5", "dispute_lost"
    ),
    "call GET disputes of payments.refunds _learn_disputes": PointOfDeath("H7", "refund_of_disputed_money"),
    "call GET disputes/dp of payments.disputes look": PointOfDeath("H6", "dispute_lost"),
    "call GET events of payments.protocols.inbox <genexpr>": PointOfDeath(
        "D4", "refund_that_finds_nothing_left"
    ),
    "call GET payment_intents of payments.driver _drive_checkout": PointOfDeath("A9", "unpaid_change"),
    "call GET payment_intents of payments.driver _find_intent": PointOfDeath("A1", "resumed"),
    "call GET payment_intents of payments.protocols.reconcile _reconcile_charges": PointOfDeath(
        "X5", "dispute_won"
    ),
    "call GET payment_intents of payments.unexplained _readable": PointOfDeath("X5", "left_to_the_janitor"),
    "call GET payment_intents/pi of payments.driver _confirm": PointOfDeath("A6", "decline_then_link"),
    "call GET payment_intents/pi of payments.driver _drive_off_session": PointOfDeath(
        "A5", "cancelled_in_doubt"
    ),
    "call GET payment_intents/pi of payments.driver _look_at_session": PointOfDeath(
        "A6", "link_is_closed_for_the_card"
    ),
    "call GET payment_intents/pi of payments.driver _record_unpaid_session": PointOfDeath(
        "C9", "money_takes_days"
    ),
    "call GET payment_intents/pi of payments.driver refresh": PointOfDeath("A5", "decline_then_link"),
    "call GET payment_intents/pi of payments.protocols.stripe_event _keep_second": PointOfDeath(
        "C9", "money_never_comes"
    ),
    "call GET refunds of payments.protocols.reconcile _reconcile_refunds": PointOfDeath(
        "H1", "refund_of_disputed_money"
    ),
    "call GET refunds of payments.refunds _find": PointOfDeath("H1", "free_cancellation"),
    "call GET refunds of payments.refunds learn": PointOfDeath("H1", "refund_by_hand"),
    "call GET refunds of payments.unexplained _readable": PointOfDeath("X5", "page_without_an_answer"),
    "call GET refunds/re of payments.protocols.stripe_event _apply_to_refund": PointOfDeath(
        "H2", "refund_comes_back"
    ),
    "call POST checkout/sessions of payments.driver _drive_checkout": PointOfDeath("A9", "longer_stay"),
    "call POST checkout/sessions/cs/expire of payments.driver _expire": PointOfDeath(
        "A9", "link_is_closed_for_the_card"
    ),
    "call POST payment_intents of payments.driver _drive_off_session": PointOfDeath(
        "A2", "decline_then_funds"
    ),
    "call POST payment_intents/pi/cancel of payments.driver _cancel": PointOfDeath(
        "C1", "decline_then_funds"
    ),
    "call POST payment_intents/pi/confirm of payments.driver _confirm": PointOfDeath("A5", "balance"),
    "call POST refunds of payments.refunds _create": PointOfDeath("H1", "shorter_stay"),
    "commit bookings.services _expire_some_holds": PointOfDeath("X5", "longer_paid_stay"),
    "commit bookings.services complete_departed": PointOfDeath("X5", "dispute_lost"),
    "commit payments.date_changes change_dates": PointOfDeath("E5", "longer_stay"),
    "commit payments.ledger.claims claim_balance": PointOfDeath("A1", "card_gone"),
    "commit payments.ledger.claims claim_checkout": PointOfDeath("A9", "authentication"),
    "commit payments.ledger.claims claim_payment": PointOfDeath("A1", "longer_paid_stay"),
    "commit payments.ledger.claims restore_attempt": PointOfDeath("X5", "forgotten"),
    "commit payments.ledger.disputes record_dispute": PointOfDeath("H6", "dispute_won"),
    "commit payments.ledger.holds end_unpaid": PointOfDeath("G5", "hold_without_a_page"),
    "commit payments.ledger.last_look permit_confirmation": PointOfDeath("A3", "longer_paid_stay"),
    "commit payments.ledger.looks _give_back": PointOfDeath("B2", "left_to_the_janitor"),
    "commit payments.ledger.looks _take": PointOfDeath("D4", "hold_without_a_page"),
    "commit payments.ledger.mismatches close_agreed": PointOfDeath("X5", "dispute_won"),
    "commit payments.ledger.outcomes note_decline": PointOfDeath("B3", "authentication"),
    "commit payments.ledger.outcomes note_unknown": PointOfDeath("B2", "left_to_the_janitor"),
    "commit payments.ledger.outcomes record_intent": PointOfDeath("A6", "free_cancellation"),
    "commit payments.ledger.outcomes record_refusal": PointOfDeath("B16", "card_gone"),
    "commit payments.ledger.outcomes record_session_expired": PointOfDeath("A9", "unpaid_hold"),
    "commit payments.ledger.outcomes record_session_processing": PointOfDeath("C8", "money_never_comes"),
    "commit payments.ledger.outcomes store_intent": PointOfDeath("A2", "balance"),
    "commit payments.ledger.outcomes store_session": PointOfDeath("A9", "money_takes_days"),
    "commit payments.ledger.refunds book_refund": PointOfDeath("H4", "refund_by_hand"),
    "commit payments.ledger.refunds record_refund": PointOfDeath("H1", "shorter_stay"),
    "commit payments.ledger.refunds record_refusal": PointOfDeath("H4", "refund_that_finds_nothing_left"),
    "commit payments.memory _lease": PointOfDeath("D4", "refund_that_finds_nothing_left"),
    "commit payments.memory end_reading": PointOfDeath("D4", "unpaid_change"),
    "commit payments.memory lock": PointOfDeath("X5", "forgotten"),
    "commit payments.memory note_compared": PointOfDeath("X5", "money_never_comes"),
    "commit payments.memory note_events_until": PointOfDeath("D4", "unpaid_change"),
    "commit payments.memory read": PointOfDeath("X5", "shorter_stay"),
    "commit payments.memory unlock": PointOfDeath("X5", "forgotten"),
    "commit payments.panels.pay_again pay_again": PointOfDeath("H2", "refund_comes_back"),
    "commit payments.protocols.cancellation settle_cancellation": PointOfDeath("E7", "cancelled_hold"),
    "commit payments.protocols.date_change _give_up": PointOfDeath("E5", "unpaid_change"),
    "commit payments.protocols.guest_email send_guest_email": PointOfDeath("A10", "cancelled_hold"),
    "commit payments.protocols.rebuild _restore_payment": PointOfDeath("X5", "forgotten"),
    "commit payments.protocols.stripe_event apply_stripe_event": PointOfDeath("D13", "unpaid_hold"),
    "commit payments.services _claim_page": PointOfDeath("A9", "balance"),
    "commit payments.services request_cancellation": PointOfDeath("E7", "late_cancellation"),
    "commit payments.webhooks _store": PointOfDeath("D13", "late_cancellation"),
}

_STRUCK = {point.case for point in POINTS.values()}


def _with_deaths(case: Case) -> Case:
    """Hold a case at its points too, whatever else it is held by."""
    is_struck = case.id in _STRUCK and DEATHS not in case.tests
    return replace(case, tests=(*case.tests, DEATHS)) if is_struck else case


CASES: tuple[Case, ...] = tuple(
    map(_with_deaths, (*cases_of_stripe.CASES, *cases_of_queue.CASES, *cases_of_money.CASES))
)

_BY_HAND = "somebody's one click, and one transaction of our own rows"
_PART = "inside the transaction of a step that is visited"
_REBUILDS = "rebuilding from Stripe, which begins anew when it is run again"
_READS = "reads and keeps a note; the next run does it again"

# Steps of the source that no scenario comes by, and why that is enough.
UNVISITED = {
    "bookings.admin open_again": _BY_HAND,
    "bookings.closures close_nights": _BY_HAND,
    "payments.ledger.dunning ask_again": _BY_HAND,
    "payments.panels.charge_again _ask_again": _BY_HAND,
    "payments.panels.correct_address _replace": _BY_HAND,
    "payments.panels.guest_data _erase": _BY_HAND,
    "payments.panels.letting_go give_up": _BY_HAND,
    "payments.panels.letting_go waive_debt": _BY_HAND,
    "bookings.date_changes change_nights": _PART,
    "bookings.date_changes hold_change": _PART,
    "bookings.services hold_stay": "one transaction before anything can take money",
    "payments.date_changes give_up_change": _BY_HAND,
    "payments.disputes _keep_foreign": _READS,
    "payments.driver find_charged": "asks about refunds and disputes of what only Stripe remembers",
    "payments.guest_access open_link": "a guest's link; no money",
    "payments.guest_access request_link": "a guest's link; no money",
    "payments.invariants.checking _fetch": _READS,
    "payments.invariants.checking _keep": _READS,
    "payments.ledger.debts waive_debt": _BY_HAND,
    "payments.ledger.mismatches keep": _READS,
    "payments.ledger.outcomes record_withdrawal": "ends an attempt of which nothing was made",
    "payments.ledger.refunds give_up_refund": _BY_HAND,
    "payments.ledger.refunds replace_refund": _PART,
    "payments.ledger.refunds restore_refund": _REBUILDS,
    "payments.panels.try_again try_again": _BY_HAND,
    "payments.protocols.inbox fetch_missed": "its call is visited where the list is read",
    "payments.protocols.notice _announce": "an e-mail and its job, or neither",
    "payments.protocols.notice _announce_arrival": "an e-mail and its job, or neither",
    "payments.protocols.rebuild _close_page": _REBUILDS,
    "payments.protocols.rebuild _rebuild_intent": _REBUILDS,
    "payments.protocols.reconcile _reconcile_older_capture": _READS,
    "payments.protocols.stripe_event _keep_unexplained": _READS,
    "payments.protocols.stripe_event _read_whole": _READS,
    "payments.refunds _learn_ours": "two refunds and one by hand at one moment; a test of its own",
    "payments.services correct_email": _BY_HAND,
    "payments.services extend_hold": _BY_HAND,
    "payments.services replace_email": _BY_HAND,
    "payments.unexplained _retrieve_flagged": _REBUILDS,
    "payments.unexplained list_unknown": "its calls are visited where their lists are read",
    "payments.webhooks apply_again": _BY_HAND,
    "payments.webhooks receive_event": "verifies a signature; no call",
}
