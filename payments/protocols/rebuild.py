"""Rebuild from Stripe what a restored database has forgotten, and flag what cannot be rebuilt.

What took money becomes an attempt again, and its booking, payment and ledger follow as from any other; what
may still take money is closed at Stripe. Whatever does not fit becomes a difference that locks its booking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError

from bookings.models import Booking, BookingStatus
from bookings.money import write_sum
from payments import billing, driver, memory, unexplained
from payments.exceptions import PaymentError, StateConflict, TransientFault
from payments.gateway import Gateway, Intent, RefundAnswer, Session
from payments.ledger import claims, locking, mismatches, refunds
from payments.ledger.mismatches import Mismatch
from payments.models import Payment, PaymentAttempt
from payments.policies import AttemptState, BreakKind, IntentStatus, PaymentKind

# Whatever others write as a mark, no more than this is a number of ours.
_SEQ = re.compile("[0-9]{1,4}")
_HAS_TAKEN = (IntentStatus.SUCCEEDED, IntentStatus.PROCESSING)
# In which state of its booking money of a kind can have been taken.
_STATUS_OF = {
    PaymentKind.DEPOSIT: (BookingStatus.PENDING,),
    PaymentKind.BALANCE: (BookingStatus.CONFIRMED, BookingStatus.COMPLETED),
    PaymentKind.FEE: (BookingStatus.CANCELLED,),
}


class Fate(StrEnum):
    """What becomes of something that only Stripe remembers."""

    REBUILT = "rebuilt"
    CLOSED = "closed"
    FLAGGED = "flagged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object of Stripe's that is not here, in words of staff, and what becomes of it."""

    stripe_id: str
    theirs: str
    fate: Fate
    booking: Booking | None


class _DoesNotFit(Exception):
    """The rows that were restored leave no place for it."""


def find(*, gateway: Gateway) -> list[Finding]:
    """Say what is not here and what would become of it; nothing is changed."""
    unknown = unexplained.list_unknown(gateway=gateway, is_flagged_too=True)
    taking = [_plan(each) for each in unknown.sessions] + [_plan(each) for each in unknown.intents]
    return [*reversed(taking), *(_plan_refund(each) for each in reversed(unknown.refunds))]


def rebuild(*, gateway: Gateway, base_url: str, now: datetime) -> Iterator[Finding]:
    """Rebuild, close or flag all that is not here, then let money move again.

    Yields:
        What became of each, oldest first.

    Raises:
        OtherAccount, TransientFault: Stripe cannot be asked; run it again.
        MemoryLost: something new came up meanwhile; run it again.
    """
    epoch = memory.read_epoch()
    unknown = unexplained.list_unknown(gateway=gateway, is_flagged_too=True)
    for session in reversed(unknown.sessions):
        yield _close_page(session, gateway, now)
    for intent in reversed(unknown.intents):
        yield _rebuild_intent(intent, gateway, base_url, now)
    for answer in reversed(unknown.refunds):
        yield _rebuild_refund(answer, now)
    left = unexplained.list_unknown(gateway=gateway)
    if not left.count and memory.note_compared(
        account_id=left.account_id, epoch=epoch, is_whole=left.is_whole, now=now
    ):
        memory.unlock()


def _plan(found: Intent | Session) -> Finding:
    booking = _booking_of(found)
    has_taken = isinstance(found, Intent) and found.status in _HAS_TAKEN
    fate = Fate.CLOSED if not has_taken else Fate.REBUILT if booking else Fate.FLAGGED
    return _finding(found, fate)


def _plan_refund(answer: RefundAnswer) -> Finding:
    return _finding_of_refund(answer, Fate.REBUILT, _attempt_of(answer))


def _booking_of(found: Intent | Session) -> Booking | None:
    booking_id = unexplained.find_booking(marks=found.marks, customer_id=found.customer_id)
    return Booking.objects.filter(pk=booking_id).first() if booking_id else None


def _finding(found: Intent | Session, fate: Fate) -> Finding:
    theirs = unexplained.describe(found).theirs
    return Finding(stripe_id=found.id, theirs=theirs, fate=fate, booking=_booking_of(found))


def _flag(found: Intent | Session, now: datetime) -> Finding:
    mismatches.keep(unexplained.describe(found), now=now)
    return _finding(found, Fate.FLAGGED)


def _close_page(session: Session, gateway: Gateway, now: datetime) -> Finding:
    """Close a page nobody here knows of; one that is paid already has an intent, which comes next."""
    try:
        gateway.expire_session(session.id)
    except StateConflict:
        return _flag(session, now)
    mismatches.close_agreed(stripe_id=session.id, now=now)
    return _finding(session, Fate.CLOSED)


def _rebuild_intent(intent: Intent, gateway: Gateway, base_url: str, now: datetime) -> Finding:
    try:
        if intent.status not in _HAS_TAKEN:
            gateway.cancel_intent(intent_id=intent.id, attempt_key=intent.attempt_key)
        else:
            _restore(intent, gateway, base_url, now)
    except TransientFault:
        raise
    except (_DoesNotFit, IntegrityError, PaymentError):
        return _flag(gateway.retrieve_intent(intent.id), now)
    mismatches.close_agreed(stripe_id=intent.id, now=now)
    return _finding(intent, Fate.REBUILT if intent.status in _HAS_TAKEN else Fate.CLOSED)


def _restore(intent: Intent, gateway: Gateway, base_url: str, now: datetime) -> None:
    """Write the attempt that made an intent again, and apply what became of it."""
    booking = _booking_of(intent)
    if booking is None:
        raise _DoesNotFit
    payment = _restore_payment(booking.pk, intent, now)
    live = locking.live_attempt(payment)
    if live is not None:
        driver.close(attempt=live, gateway=gateway, now=now)
    attempt = claims.restore_attempt(payment=payment, intent=intent, base_url=base_url, now=now)
    driver.refresh(attempt=attempt, intent_id=intent.id, gateway=gateway, now=now)


def _restore_payment(booking_id: int, intent: Intent, now: datetime) -> Payment:
    kind, _colon, number = intent.marks.payment.partition(":")
    seq = int(number) if _SEQ.fullmatch(number) else 0
    with locking.locked_booking(booking_id) as booking:
        payment = booking.payments.filter(kind=kind, seq=seq).first()
        if payment is None and kind == PaymentKind.DEPOSIT and not booking.payments.exists():
            billing.open_account(booking=booking, now=now)
            payment = billing.open_obligation(
                booking=booking, kind=PaymentKind.DEPOSIT, amount_minor=booking.quote.deposit_minor, now=now
            )
        if payment is None or not _fits(payment, booking, intent):
            raise _DoesNotFit
        payment.booking = booking
        return payment


def _fits(payment: Payment, booking: Booking, intent: Intent) -> bool:
    return (payment.amount_minor, payment.currency) == (
        intent.amount_minor,
        intent.currency,
    ) and booking.status in _STATUS_OF.get(PaymentKind(payment.kind), ())


def _rebuild_refund(answer: RefundAnswer, now: datetime) -> Finding:
    """Book a refund again; what asked for it, a cancellation or other dates, is gone: a person decides."""
    attempt = _attempt_of(answer)
    if attempt is not None:
        try:
            refunds.restore_refund(attempt=attempt, answer=answer, now=now)
        except (IntegrityError, PaymentError):
            mismatches.keep(_difference(BreakKind.FOREIGN_REFUND, answer, attempt), now=now)
    mismatches.keep(_difference(BreakKind.FORGOTTEN, answer, attempt), now=now)
    return _finding_of_refund(answer, Fate.REBUILT if attempt else Fate.FLAGGED, attempt)


def _attempt_of(answer: RefundAnswer) -> PaymentAttempt | None:
    taken = PaymentAttempt.objects.filter(stripe_intent_id=answer.intent_id, state=AttemptState.SUCCEEDED)
    return taken.select_related("payment__booking").first()


def _difference(kind: BreakKind, answer: RefundAnswer, attempt: PaymentAttempt | None) -> Mismatch:
    return Mismatch(
        kind=kind,
        stripe_id=answer.id,
        ours="",
        theirs=_write(answer),
        booking_id=attempt.payment.booking_id if attempt else None,
    )


def _finding_of_refund(answer: RefundAnswer, fate: Fate, attempt: PaymentAttempt | None) -> Finding:
    booking = attempt.payment.booking if attempt else None
    return Finding(stripe_id=answer.id, theirs=_write(answer), fate=fate, booking=booking)


def _write(answer: RefundAnswer) -> str:
    return f"{answer.status} {write_sum(answer.amount_minor, answer.currency)}"
