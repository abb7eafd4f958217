"""What must hold of money and nights once everything has come to rest, whatever happened before.

The oracle is the bank: the cardholder's statement, which the local Stripe writes when money moves and derives
from nothing, and what Stripe's own lists say can still take money.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import stripe
from django.core import mail
from django.db import connection
from django.db.models import Count, F, Q, Sum
from django.utils import timezone

from bookings.models import Booking, BookingStatus, NightBlock
from payments import policies
from payments.models import Account, BookingAccount, LedgerTransfer, Payment, PaymentAttempt, Refund
from payments.policies import AttemptState, PaymentKind, PaymentStatus, RefundState
from reyes_estancias.local_stripe.statement import Movement, StatementLine
from tests.integration.constraints import check_deferred_rules

_PAYABLE_INTENTS = {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
_LEASES = 20


@dataclass(frozen=True, slots=True)
class Bank:
    """What the bank and Stripe say; ``payable`` are the keys of what can still take money, by id."""

    statement: list[StatementLine]
    payable: dict[str, str]

    @property
    def charges(self) -> list[StatementLine]:
        return [line for line in self.statement if line.kind is Movement.CHARGE]


def assert_invariants(*, client: stripe.StripeClient, statement: list[StatementLine]) -> None:
    """Fail naming every invariant of payments.md §4.1 that does not hold.

    I9, I10, I13 and I16–I18 speak of tables and watchers that are not here; I4 is part of I14, I12 belongs
    to the tests of cancellation.
    """
    check_deferred_rules()
    bank = Bank(statement, _payable(client))
    offences = [f"{name}: {offence}" for name, check in _CHECKS.items() for offence in check(bank)]
    assert not offences, "\n".join(offences)


def key_owners() -> dict[str, PaymentAttempt]:
    """Return every attempt by the key that marks what Stripe made for it."""
    return {str(attempt.key): attempt for attempt in PaymentAttempt.objects.select_related("payment")}


def _payable(client: stripe.StripeClient) -> dict[str, str]:
    intents = client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    sessions = client.v1.checkout.sessions.list({"limit": 100}).auto_paging_iter()
    payable: dict[str, stripe.StripeObject] = {
        intent.id: intent for intent in intents if intent.status in _PAYABLE_INTENTS
    }
    payable |= {session.id: session for session in sessions if session.status == "open"}
    return {id_: str(made.to_dict()["metadata"].get("attempt")) for id_, made in payable.items()}


def _ledger_is_what_the_bank_says(bank: Bank) -> Iterator[str]:
    owners, at_bank = key_owners(), Counter[int]()
    for line in bank.statement:
        owner = owners.get(line.metadata.get("attempt", ""))
        if owner is None:
            yield f"line {line.number} was moved for no attempt of ours"
        else:
            at_bank[owner.payment.booking_id] += line.taken
    for booking_id in Booking.objects.values_list("pk", flat=True):
        ours = _net(booking_id, Account.STRIPE)
        if ours != at_bank[booking_id]:
            yield f"booking {booking_id}: the bank holds {at_bank[booking_id]}, the ledger {ours}"


def _nothing_is_charged_twice(bank: Bank) -> Iterator[str]:
    owners = key_owners()
    paid = [owners[line.metadata["attempt"]].payment for line in bank.charges]
    for payment_id, count in Counter(payment.pk for payment in paid).items():
        if count > 1:
            yield f"payment {payment_id} was charged {count} times"
    balances = Counter(payment.booking_id for payment in paid if payment.kind == PaymentKind.BALANCE)
    for booking_id, count in balances.items():
        if count > 1:
            yield f"booking {booking_id} paid {count} balances"


def _each_charge_is_recorded_once(bank: Bank) -> Iterator[str]:
    owners, charged = key_owners(), set()
    for line in bank.charges:
        attempt = owners[line.metadata["attempt"]]
        charged.add(attempt.payment_id)
        transfers = LedgerTransfer.objects.filter(source_type="payment_intent", source_id=line.payment_intent)
        said = (line.payment_intent, line.amount, line.currency)
        stored = (attempt.stripe_intent_id, attempt.amount_minor, attempt.currency)
        if said != stored or attempt.stripe_customer_id not in ("", line.customer):
            yield f"attempt {attempt.pk} is {stored}, the bank says {said}"
        if (attempt.state, attempt.payment.status) != (AttemptState.SUCCEEDED, PaymentStatus.PAID):
            yield f"attempt {attempt.pk} took money: {attempt.state}, its payment {attempt.payment.status}"
        if [transfer.amount_minor for transfer in transfers] != [line.amount]:
            yield f"charge {line.payment_intent} is posted {transfers.count()} times"
    for payment_id in Payment.objects.filter(status=PaymentStatus.PAID).values_list("pk", flat=True):
        if payment_id not in charged:
            yield f"payment {payment_id} is paid, but the bank took nothing"


def _only_live_attempts_can_take_money(bank: Bank) -> Iterator[str]:
    owners = key_owners()
    for id_, key in bank.payable.items():
        owner = owners.get(key)
        if owner is None or owner.state not in policies.LIVE_STATES:
            yield f"{id_} can take money for {owner and owner.state} attempt {owner}"
        elif not (owner.stripe_session_id or id_ == owner.stripe_intent_id):
            yield f"{id_} can take money and its id is stored nowhere"


def _nights_belong_to_living_bookings(bank: Bank) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.booking_id, b.booking_id FROM bookings_nightblock a JOIN bookings_nightblock b"
            " ON a.home_id = b.home_id AND a.nights && b.nights AND a.booking_id < b.booking_id"
            " WHERE a.active AND b.active"
        )
        for first, second in cursor.fetchall():
            yield f"bookings {first} and {second} share a night"
    living = (BookingStatus.PENDING, BookingStatus.CONFIRMED, BookingStatus.COMPLETED)
    for block in NightBlock.objects.filter(active=True).select_related("booking__quote"):
        if block.booking.status not in living or block.nights != block.booking.quote.nights:
            yield f"booking {block.booking_id} blocks {block.nights} and is {block.booking.status}"
    confirmed = Booking.objects.filter(status=BookingStatus.CONFIRMED)
    for booking in confirmed.exclude(night_blocks__in=NightBlock.objects.filter(active=True)):
        yield f"booking {booking.pk} is confirmed without nights"


def _one_attempt_at_a_time_and_none_forgotten(bank: Bank) -> Iterator[str]:
    live_or_won = Q(attempts__state__in=list(policies.LIVE_OR_WON_STATES))
    crowded = Payment.objects.annotate(count=Count("attempts", filter=live_or_won)).filter(count__gt=1)
    for payment in crowded:
        yield f"payment {payment.pk} has more than one live or won attempt"
    patience = timezone.now() - _LEASES * policies.DRIVER_LEASE
    live = PaymentAttempt.objects.filter(state__in=list(policies.LIVE_STATES), created_at__lt=patience)
    for attempt in live.exclude(session_expires_at__gt=timezone.now()):
        yield f"attempt {attempt.pk} is {attempt.state} since {attempt.created_at:%H:%M}"


def _accounts_follow_from_the_ledger(bank: Bank) -> Iterator[str]:
    for account in BookingAccount.objects.all():
        refunds = Refund.objects.filter(attempt__payment__booking=account.booking_id)
        attempts = PaymentAttempt.objects.filter(
            payment__booking=account.booking_id, state__in=list(policies.LIVE_STATES)
        )
        captured = _posted(account.booking_id, "payment_intent")
        refunded = _posted(account.booking_id, "refund") - _posted(account.booking_id, "refund_failure")
        derived = {
            "owed": _net(account.booking_id, Account.RECEIVABLE) + captured - refunded,
            "in_flight": _total(attempts),
            "captured": captured,
            "refunding": _total(refunds.filter(state__in=policies.OWED_REFUNDS)),
            "refunded": refunded,
            "disputed": _net(account.booking_id, Account.DISPUTES),
            "lost": _net(account.booking_id, Account.DISPUTE_LOSSES),
        }
        stored = {name: getattr(account, f"{name}_minor") for name in derived}
        if stored != derived:
            yield f"the account of booking {account.pk} says {stored}, the rows {derived}"
        gone = account.refunded_minor + account.refunding_minor + account.lost_minor
        if account.captured_minor + account.in_flight_minor - gone > account.owed_minor:
            yield f"booking {account.pk} has more taken than it owes"


def _refunds_are_what_the_bank_paid_back(bank: Bank) -> Iterator[str]:
    at_bank = Counter[str]()
    for line in bank.statement:
        if line.kind in (Movement.REFUND, Movement.REFUND_FAILED):
            at_bank[line.refund or ""] -= line.taken
    ours = Counter[str]()
    for refund in Refund.objects.filter(state=RefundState.SUCCEEDED):
        ours[refund.stripe_refund_id or ""] += refund.amount_minor
    if +at_bank != +ours:
        yield f"the bank paid back {dict(+at_bank)}, our refunds say {dict(+ours)}"
    for account in BookingAccount.objects.filter(captured_minor__lt=F("refunded_minor")):
        yield f"booking {account.pk} got back more than it paid"


def _no_email_is_sent_twice(bank: Bank) -> Iterator[str]:
    sent = Counter(str(message.extra_headers.get("Message-ID")) for message in getattr(mail, "outbox", []))
    for message_id, count in sent.items():
        if count > 1:
            yield f"{message_id} was sent {count} times"


def _completed_stays_owe_nothing(bank: Bank) -> Iterator[str]:
    for account in BookingAccount.objects.select_related("booking"):
        receivable = account.owed_minor - account.captured_minor + account.refunded_minor
        if account.booking.status == BookingStatus.COMPLETED and receivable:
            yield f"booking {account.pk} is completed and owes {receivable}"
        if receivable + account.refunding_minor + account.lost_minor < 0:
            yield f"booking {account.pk} was over-paid by {-receivable} and no refund is open"


_CHECKS: dict[str, Callable[[Bank], Iterator[str]]] = {
    "I1": _ledger_is_what_the_bank_says,
    "I2": _nothing_is_charged_twice,
    "I3": _each_charge_is_recorded_once,
    "I5": _only_live_attempts_can_take_money,
    "I6": _nights_belong_to_living_bookings,
    "I7": _one_attempt_at_a_time_and_none_forgotten,
    "I8": _accounts_follow_from_the_ledger,
    "I11": _refunds_are_what_the_bank_paid_back,
    "I14": _no_email_is_sent_twice,
    "I15": _completed_stays_owe_nothing,
}


def _posted(booking_id: int, source_type: str) -> int:
    return _total(LedgerTransfer.objects.filter(booking=booking_id, source_type=source_type))


def _net(booking_id: int, account: Account) -> int:
    transfers = LedgerTransfer.objects.filter(booking=booking_id)
    return _total(transfers.filter(debit=account)) - _total(transfers.filter(credit=account))


def _total(rows) -> int:
    total: int | None = rows.aggregate(total=Sum("amount_minor"))["total"]
    return total or 0
