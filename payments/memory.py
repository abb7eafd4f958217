"""Whether our rows are the whole story: written down with each comparison, and read before money moves.

A backup that was restored, or a standby that lost its last seconds, forgets what Stripe remembers. Then
"we have no row" does not mean "it did not happen", and nothing may be charged by it.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from payments.deferred_jobs import QUEUE
from payments.models import StripeMemory
from procrastinate_tasks import pause_queue, resume_queue

logger = logging.getLogger(__name__)


def read() -> StripeMemory:
    row, _is_new = StripeMemory.objects.get_or_create(pk=1)
    return row


def is_locked() -> bool:
    return StripeMemory.objects.filter(locked_at__isnull=False).exists()


def lock(*, unknown: int, now: datetime) -> None:
    """Stop all charging: Stripe knows of money of ours that we do not."""
    reason = _("Stripe knows of %(unknown)d things of ours that this database does not. Run: %(command)s")
    with transaction.atomic():
        row = read()
        row.locked_at = row.locked_at or now
        row.save(update_fields=("locked_at",))
        pause(reason % {"unknown": unknown, "command": "manage.py rebuild_from_stripe"})


def pause(reason: str) -> None:
    """Pause the queue of payments, in the name of the site; whoever paused it before keeps it paused."""
    if pause_queue(queue=QUEUE, by=_("the site itself"), reason=reason):
        logger.critical("charging paused", extra={"reason": reason})


def unlock() -> bool:
    """Let money move again; False when it was not locked."""
    with transaction.atomic():
        was_locked = StripeMemory.objects.filter(locked_at__isnull=False).update(locked_at=None)
        if was_locked:
            resume_queue(queue=QUEUE)
    return bool(was_locked)


def note_compared(*, account_id: str, now: datetime) -> None:
    """Note that Stripe and we tell the same story of the same account."""
    StripeMemory.objects.update_or_create(pk=1, defaults={"account_id": account_id, "compared_at": now})
