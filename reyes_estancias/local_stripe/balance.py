"""Balance transactions: what each charge and refund brought to the merchant's account, fee and net."""

from __future__ import annotations

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.listing import list_page

FEE_BASIS_POINTS = 360
FEE_FIXED = 300
SETTLEMENT_SECONDS = 7 * 86_400


def retrieve(call: Call) -> Document:
    return call.find("balance_transaction", call.ids[0])


def list_all(call: Call) -> Document:
    rows = call.store.newest_first("balance_transaction")
    return list_page(call, rows, url="/v1/balance_transactions", filters=("currency", "source", "type"))


def record(call: Call, *, type_: str, source: str, amount: int, currency: str, fee: int = 0) -> str:
    """Store one balance transaction and return its id; ``amount`` is negative when money leaves."""
    transaction: Document = {
        "id": call.store.next_id("txn_"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now + SETTLEMENT_SECONDS,
        "balance_type": "payments",
        "created": call.now,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_stripe_fee(fee, currency)] if fee else [],
        "net": amount - fee,
        "reporting_category": type_,
        "source": source,
        "status": "pending",
        "type": type_,
    }
    call.save(transaction)
    return str(transaction["id"])


def fee_of_charge(amount: int) -> int:
    return (amount * FEE_BASIS_POINTS + 5_000) // 10_000 + FEE_FIXED


def _stripe_fee(fee: int, currency: str) -> Document:
    return {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
