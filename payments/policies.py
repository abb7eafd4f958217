"""States of money and what follows from them. Pure: no Django, no I/O.

An attempt, the one thing that can take money for a payment:

    off-session  claimed ─ create the intent ─► created ─ last look ─► confirming ─► succeeded │ processing
                    │                              └─ an objection, and the intent cancelled ─► canceled
                    │                              confirming without an answer ─► unknown ─ last look ─► …
                    │                              declined, and the intent cancelled ─► declined
    Checkout     claimed ─ create the session ─► open ─► succeeded │ processing │ expired

Live means: it may still take money. A dead attempt carries Stripe's proof that it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

PROTOCOL_VERSION = 3  # Of 3 are payments that other dates wait for: to capture one applies them.
MARKED_SINCE_VERSION = 2  # What older attempts asked of Stripe named the attempt only, and is asked the same.
# Source: Stripe refuses a Checkout Session shorter than 30 minutes by its own clock, when the call arrives.
SESSION_LIFETIME = timedelta(minutes=35)
# Longer than the gateway's timeout: nobody interferes with a call under way.
DRIVER_LEASE = timedelta(seconds=90)

# What Stripe answers may be older than what it did: no money is given up for an answer younger than this.
LONGEST_LAG = timedelta(hours=1)

# Source: Stripe may forget an idempotency key after 24 hours, and until then replays a 500 too.
KEY_LIFETIME = timedelta(hours=24)

# How soon the janitor looks at what is in doubt, beside its turn each minute.
LOOK_EVERY = timedelta(seconds=20)
# How long it waits between its looks at an attempt or refund whose fate is unknown. For two minutes they are
# close: that some calls were answered badly is no reason to leave a guest's money in doubt.
CHECK_BACKOFF = (
    *(6 * (LOOK_EVERY,)),
    *(timedelta(minutes=m) for m in (5, 15, 60, 6 * 60, 24 * 60)),
)


class PaymentKind(StrEnum):
    DEPOSIT = "deposit"
    BALANCE = "balance"
    TOPUP = "topup"
    EXTENSION = "extension"
    FEE = "fee"


# What is paid before other dates apply.
SURCHARGES = (PaymentKind.TOPUP, PaymentKind.EXTENSION)


class PaymentStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    PAID = "paid"
    VOID = "void"


class Channel(StrEnum):
    OFF_SESSION = "off_session"
    CHECKOUT = "checkout"


class AttemptState(StrEnum):
    CLAIMED = "claimed"
    CREATED = "created"
    CONFIRMING = "confirming"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    OPEN = "open"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"


LIVE_STATES = (
    AttemptState.CLAIMED,
    AttemptState.CREATED,
    AttemptState.CONFIRMING,
    AttemptState.PROCESSING,
    AttemptState.UNKNOWN,
    AttemptState.OPEN,
)
LIVE_OR_WON_STATES = (*LIVE_STATES, AttemptState.SUCCEEDED)
DEAD_STATES = (AttemptState.DECLINED, AttemptState.CANCELED, AttemptState.EXPIRED)


class RefundState(StrEnum):
    REQUESTED = "requested"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    VOID = "void"


# What is owed to a guest by a refund in one of these states, and not paid yet.
OWED_REFUNDS = (RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.FAILED)
# Of these Stripe has nothing: they make room for what did happen there.
WAITING_REFUNDS = (RefundState.REQUESTED, RefundState.FAILED)


class DisputeStatus(StrEnum):
    """A dispute's status, in Stripe's words; ``other`` is one that this release does not know."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    WON = "won"
    LOST = "lost"
    PREVENTED = "prevented"
    OTHER = "other"


# The cardholder has no objection (any more): collection goes on. Every other dispute stops it.
HARMLESS_DISPUTES = (DisputeStatus.WON, DisputeStatus.WARNING_CLOSED)
LOST_DISPUTES = (DisputeStatus.LOST, DisputeStatus.PREVENTED)
CLOSED_DISPUTES = (*HARMLESS_DISPUTES, *LOST_DISPUTES)
DISPUTES_TO_ANSWER = (
    DisputeStatus.WARNING_NEEDS_RESPONSE,
    DisputeStatus.NEEDS_RESPONSE,
    DisputeStatus.APPEAL_NEEDS_RESPONSE,
    DisputeStatus.OTHER,
)
OPEN_DISPUTES = tuple(status for status in DisputeStatus if status not in CLOSED_DISPUTES)

_WARNINGS = (DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.WARNING_UNDER_REVIEW)
_CHARGEBACKS = (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)


def dispute_stage(status: DisputeStatus) -> int:
    """Return how far a dispute is: what Stripe said at an earlier stage never replaces a later one."""
    if status in _WARNINGS:
        return 0
    if status == DisputeStatus.WARNING_CLOSED:
        return 1
    return 2 if status in _CHARGEBACKS else 3


class BreakKind(StrEnum):
    """How Stripe and we can differ."""

    FOREIGN_CHARGE = "foreign_charge"
    CHARGE_DIFFERS = "charge_differs"
    FOREIGN_REFUND = "foreign_refund"
    REFUND_DIFFERS = "refund_differs"
    FORGOTTEN = "forgotten"
    UNKNOWN_CUSTOMER = "unknown_customer"


# While one of these is open, nothing is charged for its booking.
_OF_REFUNDS = (BreakKind.FOREIGN_REFUND, BreakKind.REFUND_DIFFERS)
LOCKING_BREAKS = tuple(kind for kind in BreakKind if kind not in _OF_REFUNDS)


class IntentStatus(StrEnum):
    """A PaymentIntent's status, in Stripe's words."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"


# With one of these money was taken, is on its way, or is held for us.
TAKING_INTENTS = (IntentStatus.SUCCEEDED, IntentStatus.PROCESSING, IntentStatus.REQUIRES_CAPTURE)


class Step(StrEnum):
    """What a driver does next with an off-session attempt."""

    CREATE = "create"
    RETRIEVE = "retrieve"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    RECORD = "record"


_SETTLED_INTENTS = (IntentStatus.SUCCEEDED, IntentStatus.CANCELED, IntentStatus.PROCESSING)


def next_step(*, has_intent: bool, intent_status: IntentStatus | None, may_confirm: bool = True) -> Step:
    """Decide the next step of an off-session attempt from what we stored and what Stripe says.

    Args:
        intent_status: what Stripe said last, ``None`` when it has not been asked yet.
        may_confirm: whether this driver may take money, or only see to it that none is taken.
    """
    if not has_intent:
        return Step.CREATE
    if intent_status is None:
        return Step.RETRIEVE
    if intent_status in _SETTLED_INTENTS:
        return Step.RECORD
    if intent_status == IntentStatus.REQUIRES_CONFIRMATION and may_confirm:
        return Step.CONFIRM
    return Step.CANCEL


class Objection(StrEnum):
    """Why the last look lets no money be taken: the intent is cancelled and the attempt ends.

    What passes by itself is no objection but a ``TransientFault``: the attempt waits as it is.
    """

    BOOKING_NOT_CONFIRMED = "booking_not_confirmed"
    DISPUTED = "disputed"
    NOT_DUE = "not_due"
    AMOUNT_CHANGED = "amount_changed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """What decides whether an attempt may be confirmed, read in the transaction that permits it.

    A payment that is paid or void is not here: the database lets it have no live attempt.
    """

    is_chargeable: bool
    is_disputed: bool
    is_due: bool
    amount_agrees: bool
    is_locked: bool


def find_objection(look: LastLook) -> Objection | None:
    """Return why an attempt must not be confirmed, or ``None`` when it may take the money now."""
    if not look.is_chargeable:
        return Objection.BOOKING_NOT_CONFIRMED
    if look.is_disputed:
        return Objection.DISPUTED
    if not look.is_due:
        return Objection.NOT_DUE
    if not look.amount_agrees:
        return Objection.AMOUNT_CHANGED
    return Objection.LOCKED if look.is_locked else None


class ChargeAnswer(StrEnum):
    """What ``charge_balance_for_booking`` answers, in the words of the old system."""

    NOT_FOUND = "not_found"
    BOOKING_NOT_CONFIRMED = "booking_not_confirmed"
    ALREADY_PAID = "already_paid"
    NO_BALANCE = "no_balance"
    PENDING_TOPUP = "pending_topup"
    DISPUTED = "disputed"
    NOT_DUE = "not_due"
    MISSING_METHOD = "missing_method"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROCESSING = "processing"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """What decides whether a payment is charged, read under the booking's lock."""

    is_confirmed: bool
    payment_status: PaymentStatus | None
    has_pending_topup: bool
    live_channel: Channel | None
    is_disputed: bool
    is_due: bool
    is_locked: bool
    is_try_due: bool
    has_method: bool


def early_exit(facts: ChargeFacts) -> ChargeAnswer | None:
    """Return why there is nothing to charge, or ``None`` when an attempt is to be made or driven on."""
    if not facts.is_confirmed:
        return ChargeAnswer.BOOKING_NOT_CONFIRMED
    if facts.payment_status is None or facts.payment_status == PaymentStatus.VOID:
        return ChargeAnswer.NO_BALANCE
    if facts.payment_status == PaymentStatus.PAID:
        return ChargeAnswer.ALREADY_PAID
    if facts.has_pending_topup:
        return ChargeAnswer.PENDING_TOPUP
    if facts.live_channel == Channel.OFF_SESSION:
        return None
    if facts.live_channel == Channel.CHECKOUT:
        return ChargeAnswer.REQUIRES_ACTION
    if facts.is_disputed:
        return ChargeAnswer.DISPUTED
    if not facts.is_due:
        return ChargeAnswer.NOT_DUE
    if facts.is_locked:
        return ChargeAnswer.LOCKED
    if not facts.has_method:
        return ChargeAnswer.MISSING_METHOD
    return None if facts.is_try_due else _WAITING_FOR_THE_GUEST.get(facts.payment_status)


_WAITING_FOR_THE_GUEST = {
    PaymentStatus.REQUIRES_ACTION: ChargeAnswer.REQUIRES_ACTION,
    PaymentStatus.FAILED: ChargeAnswer.FAILED,
}


AUTHENTICATION_REQUIRED = "authentication_required"
MISSING_METHOD = "missing_method"
REJECTED = "request_rejected"
EMAIL_REFUSED = "email_refused"
# Stripe refuses to refund a charge whose money the bank has taken back.
CHARGE_DISPUTED = "charge_disputed"


def check_delay(checks: int) -> timedelta:
    """Return how long to wait before looking again at an attempt that was looked at ``checks`` times."""
    return CHECK_BACKOFF[min(checks, len(CHECK_BACKOFF) - 1)]


def needs_a_person(checks: int) -> bool:
    return checks >= len(CHECK_BACKOFF)


def split_refund(amount_minor: int, captured: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spread a refund over what was captured, newest first.

    Args:
        captured: (attempt id, centavos still refundable) pairs, newest first.

    Returns:
        (attempt id, centavos) pairs, none of them zero.

    Raises:
        ValueError: more is to be refunded than was captured.
    """
    parts = []
    for attempt_id, refundable in captured:
        part = min(amount_minor, refundable)
        if part:
            parts.append((attempt_id, part))
            amount_minor -= part
    if amount_minor:
        raise ValueError(f"{amount_minor} centavos more to refund than were captured")
    return parts


def cut_waiting(waiting: list[tuple[int, int]], room_minor: int) -> dict[int, int]:
    """Cut refunds that wait to the room that is left, the newest first.

    Args:
        waiting: (refund id, centavos) pairs, newest first.

    Returns:
        What is left of each refund that does not fit, by its id.
    """
    excess = sum(amount for _, amount in waiting) - max(room_minor, 0)
    left = {}
    for refund_id, amount in waiting:
        if excess <= 0:
            break
        left[refund_id] = max(amount - excess, 0)
        excess -= amount
    return left


def base_url_problem(base_url: object) -> str | None:
    """Say why a value cannot be the address of our site, or ``None``."""
    if not isinstance(base_url, str):
        return f"base_url must be a URL such as https://example.mx, not a {type(base_url).__name__}"
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"base_url must be a URL such as https://example.mx, not {base_url!r}"
    if parts.query or parts.fragment or parts.username is not None:
        return "base_url must have no query, fragment or user name"
    return None


def stripe_key_problem(*, secret_key: str, api_base: str, debug: bool, production: bool) -> str | None:
    """Say why a Stripe key must not be used in this place, or ``None``."""
    live = secret_key.startswith(("sk_live_", "rk_live_"))
    if not live and not secret_key.startswith(("sk_test_", "rk_test_")):
        return "STRIPE_SECRET_KEY is no Stripe secret key: it must begin with sk_test_ or sk_live_."
    if live and debug:
        return "STRIPE_SECRET_KEY is a live key while DEBUG is on. Use a test key, or set DEBUG=false."
    if live and urlsplit(api_base).hostname in ("127.0.0.1", "localhost", "::1"):
        return "STRIPE_SECRET_KEY is a live key but STRIPE_API_BASE is this machine: remove it."
    if production and not live:
        return "PRODUCTION is on but STRIPE_SECRET_KEY is a test key: guests would stay for free."
    return None
