"""Take in what Stripe tells us: verify, store once, defer its job, answer; and have it applied again."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from django.db import DataError, connection, transaction

from payments.deferred_jobs import APPLY_STRIPE_EVENT, GUEST_WAITS_PRIORITY
from payments.event_types import plain_type
from payments.gateway import Event, Gateway
from payments.models import StripeEvent
from procrastinate_tasks import defer
from procrastinate_tasks.actions import audit
from procrastinate_tasks.actions.policies import Action
from procrastinate_tasks.actions.reports import ActionRequest, Actor, TargetReport
from procrastinate_tasks.models import ActionOutcome

logger = logging.getLogger(__name__)

# What else Stripe tells us mostly repeats what a charge has recorded by itself.
_GUEST_WAITS = "checkout.session."


# One statement: a webhook is nearly always news, and what came before is read by nobody here.
_INSERT = """
INSERT INTO payments_stripeevent (
    event_id, type, object_id, api_version, payload, body, state, note, is_fetched, created_at, received_at
) VALUES (
    %(event_id)s, %(type)s, %(object_id)s, %(api_version)s, %(payload)s, %(body)s, %(state)s, %(note)s,
    %(is_fetched)s, %(created_at)s, %(received_at)s
)
ON CONFLICT (event_id) DO UPDATE SET repetitions = payments_stripeevent.repetitions + 1
RETURNING repetitions = 0
"""


def receive_event(*, payload: bytes, signature: str, gateway: Gateway, now: datetime) -> bool:
    """Store an event and defer its job in one transaction. Returns whether it was news.

    What Stripe signed is stored whatever it is; what cannot be read is parked for a person, without a job.

    Raises:
        InvalidSignature: Stripe did not send this.
    """
    event = gateway.read_event(payload=payload, signature=signature)
    return take_in(event, body=payload, now=now)


def take_in(event: Event, *, body: bytes, now: datetime, is_fetched: bool = False) -> bool:
    """Store an event whose sender is known, and defer its job; False when it was here already.

    Args:
        body: as it came.
        is_fetched: it was read from Stripe's list, as no webhook had brought it.
    """
    try:
        return _store(event, body=event.body, now=now, is_fetched=is_fetched)
    except (DataError, ValueError, RecursionError) as error:  # JSON that Python reads and Postgres does not
        problem = f"it cannot be stored as JSON: {type(error).__name__}"
        unread = replace(event, payload={}, problem=problem)
        return _store(unread, body=body, now=now, is_fetched=is_fetched)


def _store(event: Event, *, body: bytes | None, now: datetime, is_fetched: bool) -> bool:
    problem = event.problem
    with transaction.atomic():
        is_new = _insert(event, body=body, now=now, is_fetched=is_fetched)
        if is_new and problem:
            logger.error("an event was parked", extra={"event_id": event.id, "reason": problem})
        elif is_new:
            defer(
                APPLY_STRIPE_EVENT,
                {"event_id": event.id},
                queueing_lock=f"event:{event.id}",
                priority=GUEST_WAITS_PRIORITY if plain_type(event.type).startswith(_GUEST_WAITS) else 0,
            )
    return is_new


def _insert(event: Event, *, body: bytes | None, now: datetime, is_fetched: bool) -> bool:
    """Write an event down, or count that it came again. Returns whether it was news."""
    row = {
        "event_id": event.id,
        "type": event.type,
        "object_id": event.object_id,
        "api_version": event.api_version,
        "payload": connection.ops.adapt_json_value(event.payload, None),
        "body": body,
        "state": StripeEvent.State.PARKED if event.problem else StripeEvent.State.RECEIVED,
        "note": event.problem,
        "is_fetched": is_fetched,
        "created_at": event.created_at,
        "received_at": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, row)
        (is_new,) = cursor.fetchone()
    return bool(is_new)


def apply_again(*, event_id: str, actor: Actor, reason: str = "") -> int | None:
    """Have an event applied once more, and write down who wanted it.

    Harmless at any time: its job asks Stripe what is true now, and records only what is news. The event's
    own state is left to that job: a job that applies the event at this moment would write over it.

    Returns:
        The id of the job; ``None`` when the event's job waits already, or there is no such event.
    """
    if not StripeEvent.objects.filter(pk=event_id).exists():
        return None
    with transaction.atomic():
        job_id = defer(
            APPLY_STRIPE_EVENT,
            {"event_id": event_id, "again": True},
            queueing_lock=f"event:{event_id}",
        )
        if job_id is None:
            return None
        request = _request_to_apply(job_id, actor=actor, reason=reason)
        report = TargetReport(
            action=request.action,
            target=str(job_id),
            outcome=ActionOutcome.APPLIED,
            task_name=APPLY_STRIPE_EVENT,
            detail={"event_id": event_id},
        )
        audit.record(request, [report])
    audit.log(request, [report])
    return job_id


def _request_to_apply(job_id: int, *, actor: Actor, reason: str) -> ActionRequest:
    return ActionRequest(
        action=Action.RETRY,
        targets=(str(job_id),),
        actor=actor,
        reason=reason,
    )
