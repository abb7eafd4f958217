"""Sums up what ended, by five minutes and task, so that charts need not read a million jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import statement
from procrastinate_tasks.models.monitoring import SLOT
from procrastinate_tasks.monitoring.policies import decide_rollup_window

KEPT_FOR = timedelta(days=14)


_LATENESS = timedelta(minutes=15)


_MOST_AT_ONCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupReport:
    """What one turn did.

    ``rolled_up_to`` is the end of the last slot summed up, None when another process was at it. ``has_more``
    when it stopped before the present, or a batch of old slots was full.
    """

    rolled_up_to: datetime | None
    pruned: int = 0
    has_more: bool = False


def run_once(now: datetime | None = None) -> RollupReport:
    """Sum up the slots that closed since the last turn, the last fifteen minutes once more, and prune.

    Any number of processes may call it at any time; one at a time does the work. What ended more than fifteen
    minutes before it was recorded is not counted, nor what was pruned before its slot was summed up.

    Args:
        now: by default the database's clock.
    """
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    clock = now or connector.execute_query_one("SELECT clock_timestamp() AS now")["now"]
    connector.execute_query(statement("monitoring/begin_rollup"))
    with transaction.atomic(using=connector.alias):
        progress = connector.execute_query_all(statement("monitoring/lock_rollup"))
        if not progress:
            return RollupReport(rolled_up_to=None)
        return _roll_up(connector, rolled_up_to=progress[0]["rolled_up_to"], now=clock)


def _roll_up(connector: DjangoConnector, *, rolled_up_to: datetime | None, now: datetime) -> RollupReport:
    settings = queue_settings()
    window = decide_rollup_window(
        rolled_up_to=rolled_up_to,
        now=now,
        slot=SLOT,
        lateness=_LATENESS,
        kept_for=settings.keep_successes_for,
        at_most=_MOST_AT_ONCE,
    )
    connector.execute_query(statement("monitoring/note_releases"))
    connector.execute_query(
        statement("monitoring/roll_up_attempts"), slot=SLOT, from_at=window.from_at, until=window.until
    )
    connector.execute_query(statement("monitoring/advance_rollup"), rolled_up_to=window.until)
    pruned = connector.execute_query_one(
        statement("monitoring/prune_rollups"), before=now - KEPT_FOR, batch=settings.retention_batch
    )["pruned"]
    return RollupReport(
        rolled_up_to=window.until,
        pruned=pruned,
        has_more=window.has_more or pruned >= settings.retention_batch,
    )
