"""Charges: what a card was asked for, and whether it gave it."""

from __future__ import annotations

from reyes_estancias.local_stripe import balance
from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.cards import Decline, TestCard
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.listing import list_page
from reyes_estancias.local_stripe.payment_methods import card_details, card_of
from reyes_estancias.local_stripe.statement import Movement, write_line


def retrieve(call: Call) -> Document:
    return call.find("charge", call.ids[0])


def list_all(call: Call) -> Document:
    rows = call.store.newest_first("charge")
    return list_page(call, rows, url="/v1/charges", filters=("customer", "payment_intent"))


def take_money(call: Call, intent: Document, method: Document) -> Document:
    """Charge an approved card: the one place where money is taken."""
    charge = _blank(call, intent, method)
    charge |= {
        "amount_captured": charge["amount"],
        "balance_transaction": balance.record(
            call,
            type_="charge",
            source=charge["id"],
            amount=charge["amount"],
            currency=charge["currency"],
            fee=balance.fee_of_charge(charge["amount"]),
        ),
        "captured": True,
        "outcome": _outcome("authorized", "approved_by_network", "Payment complete."),
        "paid": True,
        "status": "succeeded",
    }
    call.save(charge)
    write_line(call, Movement.CHARGE, charge, amount=charge["amount"])
    call.emit("charge.succeeded", charge)
    return charge


def record_refusal(call: Call, intent: Document, method: Document, decline: Decline) -> Document:
    """Store the charge that the bank refused."""
    charge = _blank(call, intent, method)
    outcome = _outcome("issuer_declined", "declined_by_network", "The bank did not approve this charge.")
    charge |= {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": outcome
        | {"reason": decline.decline_code or decline.code, "advice_code": decline.advice_code},
        "status": "failed",
    }
    call.save(charge)
    call.emit("charge.failed", charge)
    return charge


def _outcome(type_: str, network_status: str, seller_message: str) -> Document:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": None,
        "risk_level": "normal",
        "risk_score": 12,
        "rule": None,
        "seller_message": seller_message,
        "type": type_,
    }


def _method_details(card: TestCard) -> Document:
    details = card_details(card) | {
        "amount_authorized": None,
        "authorization_code": None,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
        "three_d_secure": None,
        "transaction_link_id": None,
    }
    return {"card": details, "type": "card"}


def _blank(call: Call, intent: Document, method: Document) -> Document:
    return {
        "id": call.store.next_id("ch_"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": "REYES ESTANCIAS",
        "captured": False,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(card_of(call, method)),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "transfer_data": None,
        "transfer_group": None,
        "status": "pending",
    }
