"""What is owed, what was tried, what moved, what was said."""

from __future__ import annotations

from payments.models.access import AccessLink, GuestVisit
from payments.models.dunning import Debt, Dunning
from payments.models.memory import InvariantCheck, StripeMemory
from payments.models.messages import GuestEmail, StripeEvent
from payments.models.movements import Dispute, LedgerTransfer, ReconciliationBreak, Refund
from payments.models.obligations import Account, BookingAccount, Payment, PaymentAttempt

__all__ = [
    "AccessLink",
    "Account",
    "BookingAccount",
    "Debt",
    "Dispute",
    "Dunning",
    "GuestEmail",
    "GuestVisit",
    "InvariantCheck",
    "LedgerTransfer",
    "Payment",
    "PaymentAttempt",
    "ReconciliationBreak",
    "Refund",
    "StripeEvent",
    "StripeMemory",
]
