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
from django.db.models import F
from django.utils import timezone

from payments import policies
from payments.invariants import checking
from payments.invariants.catalogue import named
from payments.models import Account, BookingAccount, LedgerTransfer, Payment, PaymentAttempt, Refund
from payments.policies import AttemptState, PaymentKind, PaymentStatus, RefundState
from reyes_estancias.local_stripe.statement import Movement, StatementLine
from tests.integration.constraints import check_deferred_rules

_PAYABLE_INTENTS = {"requires_payment_method", "requires_confirmation", "requires_action", "requires_capture"}
_OF_OUR_ROWS = ("I1", "I2", "I3", "I4", "I6", "I7", "I8", "I11", "I12", "I13", "I14", "I15", "I16")


@dataclass(frozen=True, slots=True)
class Bank:
    """What the bank and Stripe say, and whose it is.

    ``payable`` are the keys of what can still take money, by id; ``owners`` our attempts, by key;
    ``transfers`` what we posted.
    """

    statement: list[StatementLine]
    payable: dict[str, str]
    owners: dict[str, PaymentAttempt]
    transfers: list[LedgerTransfer]

    @property
    def charges(self) -> list[StatementLine]:
        return [line for line in self.statement if line.kind is Movement.CHARGE]


def assert_invariants(*, client: stripe.StripeClient, statement: list[StatementLine]) -> None:
    """Fail naming every invariant of payments.md §4.1 that does not hold.

    Of our own rows the house's own statements are asked; what the bank says is asked here. I9, I10, I17 and
    I18 are about what waits, and a test may end while it does.
    """
    check_deferred_rules()
    bank = Bank(statement, _payable(client), key_owners(), list(LedgerTransfer.objects.all()))
    rows = checking.check(now=timezone.now(), invariants=named(_OF_OUR_ROWS))
    offences = [f"{name}: {offence}" for name, check in _CHECKS.items() for offence in check(bank)]
    offences += [f"{each.invariant.name}: {each.rows or each.problem}" for each in rows if not each.holds]
    assert not offences, "\n".join(offences)


def key_owners() -> dict[str, PaymentAttempt]:
    """Return every attempt by the key that marks what Stripe made for it."""
    return {str(attempt.key): attempt for attempt in PaymentAttempt.objects.select_related("payment")}


def _payable(client: stripe.StripeClient) -> dict[str, str]:
    intents = client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    sessions = list(client.v1.checkout.sessions.list({"limit": 100}).auto_paging_iter())
    # Nobody is on a page that is complete, and nobody else has the secret of its intent.
    left = {session.payment_intent for session in sessions if session.status == "complete"}
    payable: dict[str, stripe.StripeObject] = {
        intent.id: intent for intent in intents if intent.status in _PAYABLE_INTENTS and intent.id not in left
    }
    payable |= {session.id: session for session in sessions if session.status == "open"}
    return {id_: str(made.to_dict()["metadata"].get("attempt")) for id_, made in payable.items()}


def _ledger_is_what_the_bank_says(bank: Bank) -> Iterator[str]:
    at_bank = Counter[int]()
    for line in bank.statement:
        owner = bank.owners.get(line.metadata.get("attempt", ""))
        if owner is None:
            yield f"line {line.number} was moved for no attempt of ours"
        else:
            at_bank[owner.payment.booking_id] += line.taken
    ours = Counter[int]()
    for transfer in bank.transfers:
        for account, sign in ((transfer.debit, 1), (transfer.credit, -1)):
            ours[transfer.booking_id] += sign * transfer.amount_minor * (account == Account.STRIPE)
    for booking_id in {*ours, *at_bank}:
        if ours[booking_id] != at_bank[booking_id]:
            yield f"booking {booking_id}: the bank holds {at_bank[booking_id]}, the ledger {ours[booking_id]}"


def _nothing_is_charged_twice(bank: Bank) -> Iterator[str]:
    paid = [bank.owners[line.metadata["attempt"]].payment for line in bank.charges]
    for payment_id, count in Counter(payment.pk for payment in paid).items():
        if count > 1:
            yield f"payment {payment_id} was charged {count} times"
    balances = Counter(payment.booking_id for payment in paid if payment.kind == PaymentKind.BALANCE)
    for booking_id, count in balances.items():
        if count > 1:
            yield f"booking {booking_id} paid {count} balances"


def _each_charge_is_recorded_once(bank: Bank) -> Iterator[str]:
    charged = set()
    posted: dict[str, list[int]] = {}
    for transfer in bank.transfers:
        if transfer.source_type == "payment_intent":
            posted.setdefault(transfer.source_id, []).append(transfer.amount_minor)
    for line in bank.charges:
        attempt = bank.owners[line.metadata["attempt"]]
        charged.add(attempt.payment_id)
        said = (line.payment_intent, line.amount, line.currency)
        stored = (attempt.stripe_intent_id, attempt.amount_minor, attempt.currency)
        if said != stored or attempt.stripe_customer_id not in ("", line.customer):
            yield f"attempt {attempt.pk} is {stored}, the bank says {said}"
        if (attempt.state, attempt.payment.status) != (AttemptState.SUCCEEDED, PaymentStatus.PAID):
            yield f"attempt {attempt.pk} took money: {attempt.state}, its payment {attempt.payment.status}"
        if (amounts := posted.get(line.payment_intent or "", [])) != [line.amount]:
            yield f"charge {line.payment_intent} of {line.amount} is posted as {amounts}"
    for payment_id in Payment.objects.filter(status=PaymentStatus.PAID).values_list("pk", flat=True):
        if payment_id not in charged:
            yield f"payment {payment_id} is paid, but the bank took nothing"


def _only_live_attempts_can_take_money(bank: Bank) -> Iterator[str]:
    for id_, key in bank.payable.items():
        owner = bank.owners.get(key)
        if owner is None or owner.state not in policies.LIVE_STATES:
            yield f"{id_} can take money for {owner and owner.state} attempt {owner}"
        elif not (owner.stripe_session_id or id_ == owner.stripe_intent_id):
            yield f"{id_} can take money and its id is stored nowhere"


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


_CHECKS: dict[str, Callable[[Bank], Iterator[str]]] = {
    "I1": _ledger_is_what_the_bank_says,
    "I2": _nothing_is_charged_twice,
    "I3": _each_charge_is_recorded_once,
    "I5": _only_live_attempts_can_take_money,
    "I11": _refunds_are_what_the_bank_paid_back,
    "I14": _no_email_is_sent_twice,
}
