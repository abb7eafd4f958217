"""Which deliveries an event causes, when they are due, and how they are signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from reyes_estancias.local_stripe.errors import Document
from reyes_estancias.local_stripe.settings import Settings, read_settings
from reyes_estancias.local_stripe.store import Store

RETRY_DELAYS_SECONDS = (1.0, 3.0, 10.0)
"""Stripe retries three times in its sandboxes (over hours; here over seconds)."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of one event to one endpoint.

    ``due`` is in real epoch seconds, whatever the clock offset.
    """

    id: str
    number: int
    event: str
    event_type: str
    endpoint: str
    due: float
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    last_answer: str | None = None


def plan_deliveries(store: Store, events: Iterable[Document], *, now: float) -> None:
    """Store a delivery for each event and each endpoint that wants it."""
    settings = read_settings(store)
    for event in events:
        for endpoint in store.rows("webhook_endpoint"):
            if any(fnmatchcase(event["type"], wanted) for wanted in endpoint["enabled_events"]):
                _plan(store, settings, event, endpoint, now)


def _plan(store: Store, settings: Settings, event: Document, endpoint: Document, now: float) -> None:
    state = DeliveryState.DROPPED if settings.are_webhooks_dropped else DeliveryState.PENDING
    for _ in range(1 + settings.webhook_duplicates):
        number = store.next_number()
        delivery = Delivery(
            id=f"del_{number}",
            number=number,
            event=event["id"],
            event_type=event["type"],
            endpoint=endpoint["id"],
            due=due_time(now, settings),
            state=state,
        )
        save_delivery(store, delivery)


def due_time(now: float, settings: Settings) -> float:
    """Return when an event of ``now`` goes out: at once, later, or at the end of its reordering window."""
    due = now + settings.webhook_delay_seconds
    window = settings.webhook_reorder_seconds
    return math.ceil(due / window) * window if window else due


def pick_due(store: Store, *, now: float, busy: frozenset[str]) -> Delivery | None:
    """Return the next delivery to send; of those due together, the newest first when reordering."""
    is_reordering = read_settings(store).webhook_reorder_seconds > 0
    table = "pending_deliveries"
    rows = store.newest_first(table) if is_reordering else iter(store.rows(table))
    due = (row for row in rows if row["due"] <= now and row["id"] not in busy)
    first = next(due, None)
    return read_delivery(first) if first else None


def record_answer(store: Store, delivery: Delivery, *, answer: str, is_taken: bool, now: float) -> Delivery:
    """Store what became of one sending: done, to be sent again, or given up."""
    tried = replace(delivery, tries=delivery.tries + 1, last_answer=answer)
    if is_taken:
        tried = replace(tried, state=DeliveryState.DELIVERED)
    elif tried.tries > len(RETRY_DELAYS_SECONDS):
        tried = replace(tried, state=DeliveryState.FAILED)
    else:
        tried = replace(tried, due=now + RETRY_DELAYS_SECONDS[tried.tries - 1])
    save_delivery(store, tried)
    return tried


def read_delivery(row: Document) -> Delivery:
    return Delivery(**{**row, "state": DeliveryState(row["state"])})


def save_delivery(store: Store, delivery: Delivery) -> None:
    """Keep the waiting ones in a table of their own, so that picking one looks at no other."""
    if delivery.state is DeliveryState.PENDING:
        store.put("pending_deliveries", delivery.id, asdict(delivery))
        return
    store.remove("pending_deliveries", delivery.id)
    store.put("ended_deliveries", delivery.id, asdict(delivery))


def list_deliveries(store: Store) -> list[Delivery]:
    rows = [*store.rows("pending_deliveries"), *store.rows("ended_deliveries")]
    return sorted((read_delivery(row) for row in rows), key=_number)


def _number(delivery: Delivery) -> int:
    return delivery.number


def write_payload(event: Document, *, is_thin: bool = False) -> bytes:
    return json.dumps(_thin(event) if is_thin else event).encode()


def _thin(event: Document) -> Document:
    """Return the event that only names its object. Source: https://docs.stripe.com/event-destinations."""
    subject = event["data"]["object"]
    kind = subject["object"]
    return {
        "id": f"{event['id']}thin",
        "object": "v2.core.event",
        "context": None,
        "created": datetime.fromtimestamp(event["created"], tz=UTC).isoformat(timespec="milliseconds"),
        "livemode": event["livemode"],
        "reason": None,
        "related_object": {
            "id": subject["id"],
            "type": kind,
            "url": f"/v1/{kind.replace('.', '/')}s/{subject['id']}",
        },
        "type": f"v1.{event['type']}",
    }


def sign(payload: bytes, *, secret: str, timestamp: int) -> str:
    """Return the ``Stripe-Signature`` header. Source: docs.stripe.com/webhooks, "Verify manually"."""
    signed = f"{timestamp}.".encode() + payload
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={signature}"
