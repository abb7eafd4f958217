"""Differences between Stripe and us: kept until they are gone, or until somebody has explained them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from payments.models import ReconciliationBreak
from payments.policies import LOCKING_BREAKS, BreakKind

logger = logging.getLogger(__name__)

_AGREED = "reconcile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One object of Stripe's that is not what we have of it, in words for staff."""

    kind: BreakKind
    stripe_id: str
    ours: str
    theirs: str
    booking_id: int | None = None


def keep(difference: Mismatch, *, now: datetime) -> None:
    """Keep a difference as one row; one that was explained stays closed until it changes.

    One that was gone, and is there again, was explained by nobody: it is news.
    """
    with transaction.atomic():
        row, is_new = ReconciliationBreak.objects.select_for_update().get_or_create(
            kind=difference.kind,
            stripe_id=difference.stripe_id,
            defaults={
                "ours": difference.ours,
                "theirs": difference.theirs,
                "booking_id": difference.booking_id,
                "found_at": now,
                "seen_at": now,
            },
        )
        has_changed = (row.ours, row.theirs) != (difference.ours, difference.theirs)
        is_news = is_new or has_changed or row.closed_by == _AGREED
        if is_news:
            row.ours, row.theirs = difference.ours, difference.theirs
            row.closed_at, row.closed_by, row.explanation = None, "", ""
        row.booking_id = row.booking_id or difference.booking_id
        row.seen_at = now
        row.save()
    if is_news:
        logger.error(
            "Stripe and we differ", extra={"kind": difference.kind.value, "stripe_id": difference.stripe_id}
        )


def close(*, break_id: int, by: str, explanation: str, now: datetime) -> bool:
    """Close a difference that a person has explained; False when it was closed already.

    Raises:
        ValueError: nobody is named, or nothing is said.
    """
    if not by.strip() or not explanation.strip():
        raise ValueError("Closing a difference needs a name and an explanation.")
    is_open = ReconciliationBreak.objects.filter(pk=break_id, closed_at__isnull=True)
    return bool(is_open.update(closed_at=now, closed_by=by.strip()[:150], explanation=explanation.strip()))


def close_agreed(*, stripe_id: str, now: datetime) -> None:
    """Close what was open about an object that agrees now."""
    still_open = ReconciliationBreak.objects.filter(stripe_id=stripe_id, closed_at__isnull=True)
    still_open.update(closed_at=now, closed_by=_AGREED, explanation="Stripe and we agree again.")


def lock_collection(booking_id: int) -> bool:
    """Say whether something unexplained at Stripe forbids to charge a booking."""
    still_open = ReconciliationBreak.objects.filter(booking_id=booking_id, closed_at__isnull=True)
    return still_open.filter(kind__in=list(LOCKING_BREAKS)).exists()


def is_open(*, stripe_id: str) -> bool:
    """Say whether something about an object of Stripe's still waits for an explanation."""
    return ReconciliationBreak.objects.filter(stripe_id=stripe_id, closed_at__isnull=True).exists()


def count_open() -> int:
    return ReconciliationBreak.objects.filter(closed_at__isnull=True).count()
