"""Webhook endpoints: where events are sent, and with which secret they are signed."""

from __future__ import annotations

from payments.sandbox.calls import Call
from payments.sandbox.contract import API_VERSION
from payments.sandbox.errors import Document
from payments.sandbox.listing import list_page


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


def register(call: Call, *, url: str, secret: str) -> Document:
    """Send every event to ``url`` from now on; the same URL keeps its endpoint and takes the new secret."""
    known = [row for row in call.store.rows("webhook_endpoint") if row["url"] == url]
    endpoint = (
        known[0] if known else _blank(call, call.store.next_id("we_")) | {"url": url, "enabled_events": ["*"]}
    )
    call.store.put("webhook_secrets", endpoint["id"], {"secret": secret})
    return call.save(endpoint)


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
