"""Whether our rows are the whole story: written down with each comparison, and read before money moves.

A backup that was restored, or a standby that lost its last seconds, forgets what Stripe remembers. Then
"we have no row" does not mean "it did not happen", and nothing may be charged by it.

Why a customer's intents need not be listed before each charge: with a comparison we keep the *epoch* of the
database it was made in, and nothing that loses commits leaves that as it was.

    pg_restore, into the same database or another    its tables are new files; the database may be another
    a copy of the database, renamed to its place     another database
    a base backup, a snapshot of the disk,           PostgreSQL was started
    a standby that takes over
    a crash with synchronous_commit off              its statistics were reset
    tables emptied and loaded again                  they are new files

The row comes back as old as the backup, with the epoch of then. So while both agree, everything Stripe had
at the comparison is here, and so is every attempt committed since: a new attempt of ours is the first of its
payment, or follows one that Stripe has ended. Once they differ, each worker compares before its next task at
Stripe, from the time of the last comparison on, and whoever charges without a worker lists as long as nobody
has. What is made for a customer in Stripe's own pages reaches us by its events, and locks the booking.

Not seen is a whole machine that is set back with its running memory, the workers' too: nothing on it can
tell. The comparison of the next hour finds what was lost.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payments.clocks import read_database_clock
from payments.deferred_jobs import QUEUE
from payments.models import StripeMemory
from procrastinate_tasks import pause_queue, resume_queue

logger = logging.getLogger(__name__)

# Longer than Stripe takes to answer for a page of its list, with a repetition.
READING_LEASE = timedelta(minutes=2)

EPOCH_QUERY = """
SELECT concat_ws(
    ' ',
    extract(epoch FROM pg_postmaster_start_time()),
    (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    pg_relation_filenode('payments_paymentattempt'),
    pg_relation_filenode('payments_refund'),
    pg_relation_filenode('payments_stripememory')
)
"""


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


def read_epoch() -> str:
    """Return what changes whenever this database may have lost commits."""
    with connection.cursor() as cursor:
        cursor.execute(EPOCH_QUERY)
        (epoch,) = cursor.fetchone()
    return str(epoch)


def is_sure(*, since: datetime | None = None) -> bool:
    """Say whether a comparison in this very database found that we know whatever Stripe does."""
    compared = StripeMemory.objects.filter(epoch=read_epoch(), locked_at__isnull=True)
    return (compared.filter(compared_at__gt=since) if since else compared).exists()


def note_compared(*, account_id: str, epoch: str, is_whole: bool = True, now: datetime) -> bool:
    """Note that Stripe and we tell the same story of the same account; False in another epoch than then.

    Args:
        is_whole: whether all that Stripe listed could be read; if not, it is listed from the same time again,
            and until then nobody is sure.
    """
    with transaction.atomic():
        row = StripeMemory.objects.select_for_update().get(pk=read().pk)
        if read_epoch() != epoch:
            return False
        row.account_id, row.epoch = account_id, epoch if is_whole else ""
        row.compared_at = now if is_whole else row.compared_at
        row.save(update_fields=("account_id", "compared_at", "epoch"))
    return True


def read_events_until() -> datetime | None:
    """Return until when whatever Stripe told is in the inbox; ``None`` before that was looked at first."""
    return read().events_until


def note_events_until(until: datetime) -> None:
    """Note that whatever Stripe told until an instant is in the inbox; it never goes back."""
    row = StripeMemory.objects.filter(pk=read().pk)
    row.filter(Q(events_until__isnull=True) | Q(events_until__lt=until)).update(events_until=until)


def begin_reading() -> datetime | None:
    """Take the turn to read Stripe's list of events; ``None`` while another process has it.

    A lease by the database's clock, no lock: nothing is held while Stripe is asked, and the turn of a process
    that died or stands still ends by itself.
    """
    return _lease(StripeMemory.objects.filter(pk=read().pk).exclude(reading_until__gt=Now()))


def go_on_reading(turn: datetime) -> datetime | None:
    """Keep the turn for longer; ``None`` when it ended and another process took it."""
    return _lease(StripeMemory.objects.filter(reading_until=turn))


def end_reading(turn: datetime) -> None:
    StripeMemory.objects.filter(reading_until=turn).update(reading_until=None)


def _lease(free: QuerySet[StripeMemory]) -> datetime | None:
    """Write until when the turn lasts, in one statement: it is also who has it."""
    until = read_database_clock() + READING_LEASE
    return until if free.update(reading_until=until) else None
