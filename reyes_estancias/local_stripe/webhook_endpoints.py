"""Webhook endpoints: where events are sent, and with which secret they are signed."""

from __future__ import annotations

from reyes_estancias.local_stripe.calls import Call
from reyes_estancias.local_stripe.contract import API_VERSION
from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.listing import list_page

OWN_ENDPOINT = "we_local"
"""The one endpoint set from outside the API: by the command line or by a control call."""


def create(call: Call) -> Document:
    secret = call.store.next_id("whsec_")
    endpoint = _blank(call, call.store.next_id("we_")) | call.params
    call.store.put("webhook_secrets", endpoint["id"], {"secret": secret})
    call.save(endpoint)
    return endpoint | {"secret": secret}


def retrieve(call: Call) -> Document:
    return call.find("webhook_endpoint", call.ids[0])


def list_all(call: Call) -> Document:
    return list_page(call, call.store.newest_first("webhook_endpoint"), url="/v1/webhook_endpoints")


def delete(call: Call) -> Document:
    endpoint = retrieve(call)
    call.store.remove("webhook_endpoint", endpoint["id"])
    call.store.remove("webhook_secrets", endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def set_own(call: Call, *, url: str, secret: str) -> Document:
    """Send every event to ``url``, signed with ``secret``, instead of to the URL set before."""
    call.store.put("webhook_secrets", OWN_ENDPOINT, {"secret": secret})
    return call.save(_blank(call, OWN_ENDPOINT) | {"url": url, "enabled_events": ["*"]})


def _blank(call: Call, endpoint_id: str) -> Document:
    return {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": call.now,
        "description": None,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
    }
