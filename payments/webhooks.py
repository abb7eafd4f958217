"""Take in what Stripe tells us: verify, store once, defer its job, answer."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from payments import task_names
from payments.gateway import Gateway
from payments.models import StripeEvent
from procrastinate_tasks.deferring import defer


def receive_event(*, payload: bytes, signature: str, gateway: Gateway, now: datetime) -> bool:
    """Store an event and defer its job in one transaction. Returns whether it was news.

    Raises:
        InvalidSignature: Stripe did not send this.
    """
    event = gateway.read_event(payload=payload, signature=signature)
    with transaction.atomic():
        _, is_new = StripeEvent.objects.get_or_create(
            event_id=event.id,
            defaults={
                "type": event.type,
                "object_id": event.object_id,
                "api_version": event.api_version,
                "payload": event.payload,
                "created_at": event.created_at,
                "received_at": now,
            },
        )
        if is_new:
            defer(task_names.APPLY_STRIPE_EVENT, {"event_id": event.id}, queueing_lock=f"event:{event.id}")
    return is_new
