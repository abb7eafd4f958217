"""Disputes: a cardholder takes a charge back through the bank, and the bank decides."""

from __future__ import annotations

from reyes_estancias.local_stripe import balance
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import DisputeBehaviour, TestCard
from reyes_estancias.local_stripe.errors import Document, UnexpectedState
from reyes_estancias.local_stripe.listing import list_page
from reyes_estancias.local_stripe.statement import Movement, write_line

EVIDENCE_SECONDS = 9 * 86_400
# Source: docs.stripe.com/disputes/get-started/dispute-fees; taken with the money, and kept.
FEE_MINOR = 30_000

_INQUIRIES = ("warning_needs_response", "warning_under_review")
_CHARGEBACKS = ("needs_response", "under_review")
# Source: the statuses of `stripe.Dispute`.
_ENDS = {"won": _CHARGEBACKS, "lost": _CHARGEBACKS, "warning_closed": _INQUIRIES}


def retrieve(call: Call) -> Document:
    return call.find("dispute", call.ids[0])


def list_all(call: Call) -> Document:
    rows = call.store.newest_first("dispute")
    return list_page(call, rows, url="/v1/disputes", filters=("charge", "payment_intent"))


def open_as_the_card_does(call: Call, charge_id: str | None, card: TestCard) -> None:
    """Dispute a charge that was just made, when its test card is one that does."""
    if charge_id is not None and card.dispute is not DisputeBehaviour.NEVER:
        charge = call.find("charge", charge_id)
        open_dispute(call, charge, is_inquiry=card.dispute is DisputeBehaviour.INQUIRY)


def open_dispute(
    call: Call, charge: Document, *, amount: int | None = None, is_inquiry: bool = False
) -> Document:
    """Take a charge into dispute; an inquiry asks first and moves no money."""
    if charge["status"] != "succeeded" or _find_open(call, charge["id"]):
        raise UnexpectedState(f"Charge {charge['id']} cannot be disputed.")
    dispute = _blank(call, charge, amount or charge["amount"], is_inquiry=is_inquiry)
    call.save(charge | {"disputed": True})
    call.save(dispute)
    call.emit("charge.dispute.created", dispute)
    if not is_inquiry:
        _withdraw(call, dispute)
    return dispute


def escalate(call: Call, dispute: Document) -> Document:
    """Let an inquiry become a chargeback: from here on the money is gone until it is won."""
    _check_status(dispute, _INQUIRIES)
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    call.save(dispute)
    call.emit("charge.dispute.updated", dispute)
    _withdraw(call, dispute)
    return dispute


def submit_evidence(call: Call, dispute: Document) -> Document:
    """Answer the bank, as the dashboard does."""
    _check_status(dispute, ("needs_response", "warning_needs_response"))
    is_inquiry = dispute["status"] in _INQUIRIES
    dispute["status"] = "warning_under_review" if is_inquiry else "under_review"
    dispute["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
    call.save(dispute)
    call.emit("charge.dispute.updated", dispute)
    return dispute


def close(call: Call, dispute: Document, *, status: str) -> Document:
    """Let the bank decide: ``won``, ``lost``, or for an inquiry ``warning_closed``."""
    _check_status(dispute, _ENDS.get(status, ()))
    dispute["status"] = status
    if status == "won":
        dispute["is_charge_refundable"] = True
        _move(call, dispute, amount=dispute["amount"], kind=Movement.DISPUTE_REVERSED)
        call.emit("charge.dispute.funds_reinstated", dispute)
    call.save(dispute)
    call.emit("charge.dispute.closed", dispute)
    return dispute


def check_refundable(call: Call, charge: Document) -> None:
    """Raises UnexpectedState: the charge is disputed, and its money is not there to be given back."""
    for dispute in _of_charge(call, charge["id"]):
        if not dispute["is_charge_refundable"]:
            raise UnexpectedState(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )


def close_refunded_inquiries(call: Call, charge: Document) -> None:
    """End the inquiry about a charge that was given back in full."""
    for dispute in _of_charge(call, charge["id"]):
        if charge["refunded"] and dispute["status"] in _INQUIRIES:
            close(call, dispute, status="warning_closed")


def _of_charge(call: Call, charge_id: str) -> list[Document]:
    return [dispute for dispute in call.store.rows("dispute") if dispute["charge"] == charge_id]


def _find_open(call: Call, charge_id: str) -> bool:
    return any(each["status"] not in _ENDS for each in _of_charge(call, charge_id))


def _check_status(dispute: Document, allowed: tuple[str, ...]) -> None:
    if dispute["status"] not in allowed:
        raise UnexpectedState(f"Dispute {dispute['id']} is {dispute['status']}.")


def _withdraw(call: Call, dispute: Document) -> None:
    _move(call, dispute, amount=-dispute["amount"], kind=Movement.DISPUTE)
    call.emit("charge.dispute.funds_withdrawn", dispute)


def _move(call: Call, dispute: Document, *, amount: int, kind: Movement) -> None:
    transaction = balance.record(
        call,
        type_="adjustment",
        source=dispute["id"],
        amount=amount,
        currency=dispute["currency"],
        fee=FEE_MINOR if amount < 0 else 0,
    )
    dispute["balance_transactions"].append(call.find("balance_transaction", transaction))
    call.save(dispute)
    charge = call.find("charge", dispute["charge"])
    write_line(call, kind, charge, amount=abs(amount), dispute=dispute["id"])


def _blank(call: Call, charge: Document, amount: int, *, is_inquiry: bool) -> Document:
    return {
        "id": call.store.next_id("dp_"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + EVIDENCE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": is_inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": charge["payment_method_details"]["card"]["network"],
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "fraudulent",
        "status": "warning_needs_response" if is_inquiry else "needs_response",
    }


_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
