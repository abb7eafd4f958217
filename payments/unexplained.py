"""What Stripe has of ours and no row of ours explains.

An attempt is committed before anything is asked of Stripe for it. So what carries the key of an attempt that
is not here was made by a database that knew more than this one does.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import Max, Min

from bookings.models import Booking
from bookings.money import write_sum
from payments import memory
from payments.exceptions import AnswerUnreadable, ObjectMissing, OtherAccount
from payments.gateway import DisputeAnswer, Gateway, Intent, Marks, RefundAnswer, RefundStatus, Session
from payments.ledger.mismatches import Mismatch
from payments.models import BookingAccount, PaymentAttempt, ReconciliationBreak, Refund
from payments.policies import LIVE_STATES, TAKING_INTENTS, BreakKind, IntentStatus

logger = logging.getLogger(__name__)

_Listed = TypeVar("_Listed", Intent, Session, RefundAnswer)

# Clocks differ, and Stripe counts in whole seconds.
_MARGIN = timedelta(minutes=10)
# Before the first comparison nobody knows when the last commit was lost.
_FIRST_MARGIN = timedelta(days=1)
_GONE = (RefundStatus.FAILED, RefundStatus.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What carries a key of ours and is nowhere here: what took or may take money, and what paid it back.

    Attributes:
        account_id: the account of Stripe's that was asked.
        is_whole: whether all that it listed could be read.
    """

    account_id: str
    intents: list[Intent] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    refunds: list[RefundAnswer] = field(default_factory=list)
    is_whole: bool = True

    @property
    def count(self) -> int:
        return len(self.intents) + len(self.sessions) + len(self.refunds)


def read_account(*, gateway: Gateway) -> str:
    """Compare the account with that of our customers; before it is known, look for an intent of ours.

    Raises:
        OtherAccount: our key is for another account than our customers are.
    """
    account_id, known_id = gateway.read_account(), memory.read().account_id
    if known_id not in ("", account_id):
        raise OtherAccount(expected=known_id, found=account_id)
    newest = PaymentAttempt.objects.filter(stripe_intent_id__isnull=False).order_by("-pk").first()
    if not known_id and newest is not None:
        try:
            gateway.retrieve_intent(newest.stripe_intent_id or "")
        except ObjectMissing as missing:
            raise OtherAccount(expected="", found=account_id) from missing
    return account_id


def list_unknown(*, gateway: Gateway, is_flagged_too: bool = False) -> Unknown:
    """Return what Stripe has under keys that we do not have.

    Args:
        is_flagged_too: also what is kept as a difference already, while no person has explained it.

    Raises:
        OtherAccount: our key is for another account than our customers are.
    """
    account_id = read_account(gateway=gateway)
    since = _first_unknown_instant()
    if since is None:
        return Unknown(account_id=account_id)
    unread: list[AnswerUnreadable] = []
    listed = _readable(gateway.list_intents(since=since), unread)
    intents = [each for each in listed if each.attempt_key and _may_take(each)]
    pages = _readable(gateway.list_open_pages(since=since), unread)
    sessions = [each for each in pages if each.attempt_key]
    paid_back = _readable(gateway.list_refunds(since=since), unread)
    refunds = [each for each in paid_back if each.refund_key and _pays(each)]
    intents += _retrieve_flagged(gateway, {each.id for each in intents}) if is_flagged_too else []
    seen = _seen(
        (each.id for found in (intents, sessions, refunds) for each in found), is_closed=is_flagged_too
    )
    attempts = _known(PaymentAttempt, [each.attempt_key for each in intents])
    attempts |= _known(PaymentAttempt, [each.attempt_key for each in sessions])
    ours = _known(Refund, (each.refund_key for each in refunds))
    return Unknown(
        account_id=account_id,
        intents=[each for each in intents if each.attempt_key not in attempts and each.id not in seen],
        sessions=[each for each in sessions if each.attempt_key not in attempts and each.id not in seen],
        refunds=[each for each in refunds if each.refund_key not in ours and each.id not in seen],
        is_whole=not unread,
    )


def list_of_customer(*, intents: Collection[Intent], sessions: Collection[Session]) -> list[Intent | Session]:
    """Return those of a customer's intents and open pages that no attempt of ours and no person explains."""
    risky: list[Intent | Session] = [*filter(_may_take, intents), *sessions]
    own = _by_key(each.attempt_key for each in risky)
    ids = _ids_of_attempts(each.id for each in risky)
    explained = _seen((each.id for each in risky), is_closed=True)
    return [
        each for each in risky if not _is_own(each, own) and each.id not in ids and each.id not in explained
    ]


def is_explained(found: Intent) -> bool:
    """Say whether an intent can take no money, or an attempt or a person accounts for it."""
    return not list_of_customer(intents=[found], sessions=[])


def find_booking(*, marks: Marks, customer_id: str) -> int | None:
    """Return the booking that something at Stripe is about: whose customer it is, else whom our mark names.

    Each customer is one booking's, and pays; a mark may be written by whoever can open Stripe's pages.
    """
    if customer_id:
        accounts = BookingAccount.objects.filter(stripe_customer_id=customer_id)
        booking_id = accounts.values_list("booking_id", flat=True).first()
        if booking_id is not None:
            return booking_id
    named = _read_uuid(marks.booking)
    return Booking.objects.filter(public_id=named).values_list("pk", flat=True).first() if named else None


def describe(found: Intent | Session) -> Mismatch:
    """Return the difference that staff have to explain before the booking is charged again."""
    named = _read_uuid(found.attempt_key)
    attempt = PaymentAttempt.objects.select_related("payment").filter(key=named).first() if named else None
    if attempt is not None and isinstance(found, Intent):
        return describe_second(attempt, found)
    amount = f" {_sum_of(found)}" if isinstance(found, Intent) else ""
    folio = f" · RE-{found.marks.booking[:8].upper()}" if found.marks.booking else ""
    return Mismatch(
        kind=BreakKind.FOREIGN_CHARGE,
        stripe_id=found.id,
        ours="",
        theirs=f"{found.status}{amount}{folio}",
        booking_id=find_booking(marks=found.marks, customer_id=found.customer_id),
    )


def describe_second(attempt: PaymentAttempt, found: Intent) -> Mismatch:
    """Return the difference of an intent that names an attempt and is not its own."""
    return Mismatch(
        kind=BreakKind.CHARGE_DIFFERS,
        stripe_id=found.id,
        ours=f"{attempt.state} {_sum_of(attempt)} {attempt.stripe_intent_id or ''}".strip(),
        theirs=f"{found.status} {_sum_of(found)}",
        booking_id=attempt.payment.booking_id,
    )


def describe_dispute(dispute: DisputeAnswer, charge: Intent) -> Mismatch | None:
    """Return the difference of a dispute about a charge that no attempt made; ``None``: a stranger's.

    It has the dispute's id: whoever has explained the charge has not answered the bank.
    """
    booking_id = find_booking(marks=charge.marks, customer_id=charge.customer_id)
    if booking_id is None:
        return None
    return Mismatch(
        kind=BreakKind.FOREIGN_CHARGE,
        stripe_id=dispute.id,
        ours="",
        theirs=f"{charge.id}: {dispute.status} {_sum_of(dispute)}",
        booking_id=booking_id,
    )


def describe_customer(*, customer_id: str, booking_id: int) -> Mismatch:
    """Return the difference of a customer whom our rows know and Stripe does not."""
    return Mismatch(
        kind=BreakKind.UNKNOWN_CUSTOMER,
        stripe_id=customer_id,
        ours=customer_id,
        theirs="unknown",
        booking_id=booking_id,
    )


def _sum_of(each: Intent | DisputeAnswer | PaymentAttempt) -> str:
    return write_sum(each.amount_minor, each.currency)


def _first_unknown_instant() -> datetime | None:
    """Return since when Stripe may know more than we do, ``None`` on a site without bookings."""
    compared_at = memory.read().compared_at
    if compared_at is not None:
        return compared_at - _MARGIN
    newest: datetime | None = PaymentAttempt.objects.aggregate(newest=Max("created_at"))["newest"]
    if newest is not None:
        return newest - _FIRST_MARGIN
    oldest: datetime | None = Booking.objects.aggregate(oldest=Min("created_at"))["oldest"]
    return oldest - _MARGIN if oldest is not None else None


def _readable(listed: Iterable[_Listed], unread: list[AnswerUnreadable]) -> Iterator[_Listed]:
    """Yield what can be read of a list; what cannot is seen again when its customer is charged."""
    try:
        yield from listed
    except AnswerUnreadable as fault:
        unread.append(fault)
        logger.error("not compared", extra={"fault": str(fault)})


def _may_take(intent: Intent) -> bool:
    return intent.status != IntentStatus.CANCELED


def _pays(refund: RefundAnswer) -> bool:
    return refund.status not in _GONE


def _known(model: type[PaymentAttempt] | type[Refund], keys: Iterable[str]) -> set[str]:
    wanted = {key: uuid for key in keys if (uuid := _read_uuid(key)) is not None}
    found = set(model.objects.filter(key__in=set(wanted.values())).values_list("key", flat=True))
    return {key for key, uuid in wanted.items() if uuid in found}


def _is_own(found: Intent | Session, own: Mapping[str, PaymentAttempt]) -> bool:
    """Whoever can write metadata can name any attempt: what has another id than it stored is not its own.

    Nor is money that was taken for an attempt which ended without an intent: it ended on proof.
    """
    attempt = own.get(found.attempt_key)
    if attempt is None:
        return False
    stored = attempt.stripe_intent_id if isinstance(found, Intent) else attempt.stripe_session_id
    if stored is not None:
        return stored == found.id
    return attempt.state in LIVE_STATES or found.status not in TAKING_INTENTS


def _by_key(keys: Iterable[str]) -> dict[str, PaymentAttempt]:
    """Return attempts by the key that names each."""
    wanted = {uuid: key for key in keys if (uuid := _read_uuid(key)) is not None}
    return {wanted[attempt.key]: attempt for attempt in PaymentAttempt.objects.filter(key__in=wanted)}


def _ids_of_attempts(stripe_ids: Iterable[str]) -> set[str | None]:
    ids = set(stripe_ids)
    by_intent = PaymentAttempt.objects.filter(stripe_intent_id__in=ids)
    by_session = PaymentAttempt.objects.filter(stripe_session_id__in=ids)
    return {
        *by_intent.values_list("stripe_intent_id", flat=True),
        *by_session.values_list("stripe_session_id", flat=True),
    }


def _seen(stripe_ids: Iterable[str], *, is_closed: bool) -> set[str]:
    """Return those that are kept as a difference, or only those that a person has explained."""
    rows = ReconciliationBreak.objects.filter(stripe_id__in=set(stripe_ids))
    if is_closed:
        rows = rows.filter(closed_at__isnull=False)
    return set(rows.values_list("stripe_id", flat=True))


def _retrieve_flagged(gateway: Gateway, listed: set[str]) -> list[Intent]:
    """Return what was flagged in an earlier hour than those that are listed."""
    flagged = ReconciliationBreak.objects.filter(
        kind=BreakKind.FOREIGN_CHARGE, closed_at__isnull=True, stripe_id__startswith="pi_"
    ).exclude(stripe_id__in=listed)
    found = [gateway.retrieve_intent(each.stripe_id) for each in flagged.order_by("-pk")]
    return [each for each in found if each.attempt_key and _may_take(each)]


def _read_uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
