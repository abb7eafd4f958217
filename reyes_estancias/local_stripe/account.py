"""The merchant's own account: who is asked, so that a caller can tell one Stripe account from another."""

from __future__ import annotations

import hashlib

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.store import Store

OPENED_AT = 1_700_000_000


def retrieve_current(call: Call) -> Document:
    return {
        "id": account_id(call.store),
        "object": "account",
        "business_profile": {"mcc": "7011", "name": "Reyes Estancias", "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "company": None,
        "controller": {"type": "account"},
        "country": "MX",
        "created": OPENED_AT,
        "default_currency": "mxn",
        "details_submitted": True,
        "email": None,
        "external_accounts": {"object": "list", "data": [], "has_more": False, "url": "/v1/accounts"},
        "future_requirements": {"currently_due": [], "errors": []},
        "metadata": {},
        "payouts_enabled": True,
        "requirements": {"currently_due": [], "errors": []},
        "settings": {"dashboard": {"display_name": "Reyes Estancias", "timezone": "America/Mexico_City"}},
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def account_id(store: Store) -> str:
    """Return the account's id: each store is an account of its own, also once it was emptied."""
    return f"acct_1{hashlib.sha256(store.seed.encode()).hexdigest()[:15]}"
