"""Refunds: create, retrieve, list, and what becomes of the slow ones."""

from __future__ import annotations

from reyes_estancias.local_stripe import balance, disputes, payment_methods
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import RefundBehaviour
from reyes_estancias.local_stripe.errors import (
    Document,
    ParameterMissing,
    ParameterRefused,
    ParametersExclusive,
    UnexpectedState,
)
from reyes_estancias.local_stripe.listing import list_page
from reyes_estancias.local_stripe.statement import Movement, write_line

SETTLES_AFTER_SECONDS = 5


def create(call: Call) -> Document:
    charge = _find_charge(call)
    disputes.check_refundable(call, charge)
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise UnexpectedState(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = call.params.get("amount", left)
    if amount > left:
        raise ParameterRefused(
            f"Refund amount (${amount / 100:,.2f}) is greater than unrefunded amount on charge "
            f"(${left / 100:,.2f})",
            param="amount",
        )
    return _give_back(call, charge, amount)


def retrieve(call: Call) -> Document:
    return call.find("refund", call.ids[0])


def list_all(call: Call) -> Document:
    rows = call.store.newest_first("refund")
    return list_page(call, rows, url="/v1/refunds", filters=("charge", "payment_intent"))


def settle_due(call: Call, *, is_forced: bool = False) -> None:
    """Bring the refunds that take their time to their end once ``SETTLES_AFTER_SECONDS`` have passed."""
    for waiting in call.store.rows("waiting_refunds"):
        if is_forced or call.now >= waiting["due"]:
            call.store.remove("waiting_refunds", waiting["id"])
            _settle(call, call.find("refund", waiting["id"]))


def fail(call: Call, refund: Document, *, reason: str = "expired_or_canceled_card") -> None:
    """Take a refund back, as a bank may do days later: the money is the merchant's again."""
    was_paid_out = refund["status"] == "succeeded"
    charge = call.find("charge", refund["charge"])
    refund |= {"failure_reason": reason, "status": "failed"}
    if was_paid_out:
        write_line(call, Movement.REFUND_FAILED, charge, amount=refund["amount"], refund=refund["id"])
        refund["failure_balance_transaction"] = balance.record(
            call,
            type_="refund_failure",
            source=refund["id"],
            amount=refund["amount"],
            currency=refund["currency"],
        )
    charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
    call.save(charge)
    call.save(refund)
    call.emit("refund.failed", refund)
    call.emit("charge.refund.updated", refund)


def _settle(call: Call, refund: Document) -> None:
    method = payment_methods.find(call, refund["payment_method"])
    if payment_methods.card_of(call, method).refund is RefundBehaviour.FAILS_LATER:
        fail(call, refund)
    elif refund["status"] == "pending":
        _pay_out(call, refund, call.find("charge", refund["charge"]))
        call.emit("refund.updated", refund)
        call.emit("charge.refund.updated", refund)


def _give_back(call: Call, charge: Document, amount: int) -> Document:
    behaviour = payment_methods.card_of(call, payment_methods.find(call, charge["payment_method"])).refund
    refund = _blank(call, charge, amount)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    call.save(charge)
    if behaviour is RefundBehaviour.PENDING_FIRST:
        call.save(refund)
    else:
        _pay_out(call, refund, charge)
    if behaviour is not RefundBehaviour.SUCCEEDS:
        due = {"id": refund["id"], "due": call.now + SETTLES_AFTER_SECONDS}
        call.store.put("waiting_refunds", refund["id"], due)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge)
    disputes.close_refunded_inquiries(call, charge)
    return refund


def _pay_out(call: Call, refund: Document, charge: Document) -> None:
    refund["status"] = "succeeded"
    refund["balance_transaction"] = balance.record(
        call, type_="refund", source=refund["id"], amount=-refund["amount"], currency=refund["currency"]
    )
    call.save(refund)
    write_line(call, Movement.REFUND, charge, amount=refund["amount"], refund=refund["id"])


def _find_charge(call: Call) -> Document:
    params = call.params
    if "charge" in params and "payment_intent" in params:
        raise ParametersExclusive("charge", "payment_intent")
    if "charge" in params:
        charge = call.find("charge", params["charge"], param="charge")
    elif "payment_intent" in params:
        charge = _charge_of_intent(call, params["payment_intent"])
    else:
        raise ParameterMissing("payment_intent")
    if charge["status"] != "succeeded":
        raise UnexpectedState(f"Charge {charge['id']} was not successful, so it cannot be refunded.")
    return charge


def _charge_of_intent(call: Call, intent_id: str) -> Document:
    intent = call.find("payment_intent", intent_id, param="payment_intent")
    if intent["status"] != "succeeded":
        raise UnexpectedState(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return call.find("charge", intent["latest_charge"])


def _blank(call: Call, charge: Document, amount: int) -> Document:
    return {
        "id": call.store.next_id("re_"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": call.params.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }
