"""The cardholder's statement: each peso taken from a card or given back, written when it moves.

It is a list of its own and is never derived from intents or charges, so that a test can hold what the
rest of the local Stripe says against what the bank did.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.store import Store


class Movement(StrEnum):
    """``refund_failed`` is a refund that came back, ``dispute_reversed`` a dispute that was won."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"
    DISPUTE = "dispute"
    DISPUTE_REVERSED = "dispute_reversed"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement.

    ``amount`` is in minor units, positive whichever way the money went; ``at`` is in epoch seconds.
    """

    number: int
    at: int
    kind: Movement
    amount: int
    currency: str
    customer: str | None
    payment_intent: str | None
    charge: str
    refund: str | None
    card_last4: str
    metadata: dict[str, str]
    dispute: str | None = None

    @property
    def taken(self) -> int:
        """The amount as the merchant sees it: negative for a refund and for what a bank took back."""
        return -self.amount if self.kind in (Movement.REFUND, Movement.DISPUTE) else self.amount


def write_line(
    call: Call,
    kind: Movement,
    charge: Document,
    *,
    amount: int,
    refund: str | None = None,
    dispute: str | None = None,
) -> None:
    """Append one movement of a charge's money."""
    number = call.store.count("statement") + 1
    line = StatementLine(
        number=number,
        at=call.now,
        kind=kind,
        amount=amount,
        currency=charge["currency"],
        customer=charge["customer"],
        payment_intent=charge["payment_intent"],
        charge=charge["id"],
        refund=refund,
        card_last4=charge["payment_method_details"]["card"]["last4"],
        metadata=dict(charge["metadata"]),
        dispute=dispute,
    )
    call.store.put("statement", str(number), asdict(line))


def read_lines(store: Store) -> list[StatementLine]:
    """Return every line, oldest first."""
    return [parse_line(row) for row in store.rows("statement")]


def parse_line(row: Document) -> StatementLine:
    return StatementLine(**{**row, "kind": Movement(row["kind"])})


def total_by_currency(lines: list[StatementLine]) -> dict[str, int]:
    """Return what the merchant holds of each currency, in minor units."""
    totals: dict[str, int] = {}
    for line in lines:
        totals[line.currency] = totals.get(line.currency, 0) + line.taken
    return totals
