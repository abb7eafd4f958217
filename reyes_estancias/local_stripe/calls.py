"""One request being carried out: the store, the clock, the parameters, and the events it causes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from reyes_estancias.local_stripe.contract import API_VERSION
from reyes_estancias.local_stripe.errors import Document, ResourceMissing
from reyes_estancias.local_stripe.store import Store


@dataclass(slots=True)
class Call:
    """What an endpoint sees. ``now`` is in epoch seconds of the local Stripe's own clock."""

    store: Store
    now: int
    base_url: str
    params: Document = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    request_id: str | None = None
    idempotency_key: str | None = None
    events: list[Document] = field(default_factory=list)

    def find(self, kind: str, id_: str, *, param: str = "id") -> Document:
        """Return the object ``id_`` of a kind such as ``customer``.

        Raises:
            ResourceMissing: there is none; 404 when its id came in the path, else 400.
        """
        row = self.store.get(kind, id_)
        if row is None:
            raise ResourceMissing(kind=kind, id_=id_, param=param, status=404 if id_ in self.ids else 400)
        return row

    def find_customer(self, id_: str, *, param: str = "customer") -> Document:
        """Return a customer who was not deleted.

        Raises:
            ResourceMissing: unknown or deleted.
        """
        customer = self.find("customer", id_, param=param)
        if customer.get("deleted"):
            raise ResourceMissing(
                kind="customer", id_=id_, param=param, status=404 if id_ in self.ids else 400
            )
        return customer

    def save(self, document: Document) -> Document:
        """Store an object under its own kind and id."""
        self.store.put(document["object"], document["id"], document)
        return document

    def emit(self, type_: str, subject: Document) -> None:
        """Record an event with the subject as it is now."""
        event: Document = {
            "id": self.store.next_id("evt_"),
            "object": "event",
            "account": None,
            "api_version": API_VERSION,
            "context": None,
            "created": self.now,
            "data": {"object": json.loads(json.dumps(subject))},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": type_,
        }
        self.save(event)
        self.events.append(event)


Endpoint = Callable[[Call], Document]
