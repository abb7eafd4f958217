"""Gives the jobs of lost workers another run, or parks those that keep losing their workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import plain_orphaned_after, queue_settings
from procrastinate_tasks.database import statement
from procrastinate_tasks.exceptions import WorkerLost
from procrastinate_tasks.jobs.completion import Completion, Recorded
from procrastinate_tasks.jobs.policies import Rescue, decide_rescue
from procrastinate_tasks.jobs.recording import settle
from procrastinate_tasks.models import Outcome

logger = logging.getLogger(__name__)

BATCH = 500

_END_OF = {
    Rescue.RUN_AGAIN: ("todo", Outcome.CRASHED),
    Rescue.PARK: ("failed", Outcome.PARKED),
    Rescue.ABORT: ("aborted", Outcome.ABORTED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrphanedJob:
    """A job marked as running whose worker is gone; ``silent_seconds`` is None when its row was pruned."""

    id: int
    task_name: str
    queue_name: str
    attempts: int
    abort_requested: bool
    worker_id: int | None
    silent_seconds: float | None
    started_at: datetime
    earlier_crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueReport:
    """The ids of the jobs that were rescued, by what became of them."""

    run_again: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    aborted: tuple[int, ...] = ()
    superseded: tuple[int, ...] = ()


Decision = Callable[[OrphanedJob], Rescue]


def run_once(now: datetime | None = None) -> RescueReport:
    """Rescue orphaned jobs: those whose worker sent no heartbeat for as long as it said it might be silent.

    Two processes may rescue at the same time: each takes other jobs. The run that was lost is stored as an
    attempt. A job asked to stop is aborted; one that lost ``PROCRASTINATE_TASKS_MAX_CRASHES`` workers since
    it was last retried by hand is parked as failed, and waits for someone to look.

    Args:
        now: by default the database's clock.
    """
    return _rescue(None, decide=by_policy, now=now, batch=BATCH)


def rescue_chosen(job_ids: Sequence[int], *, decide: Decision) -> RescueReport:
    """Rescue those of these jobs that are orphaned, as a person wants it."""
    return _rescue(list(job_ids), decide=decide, now=None, batch=len(job_ids))


def by_policy(orphan: OrphanedJob) -> Rescue:
    """Decide as every worker does."""
    return decide_rescue(
        earlier_crashes=orphan.earlier_crashes,
        max_crashes=queue_settings().max_crashes,
        abort_requested=orphan.abort_requested,
    )


def _rescue(job_ids: list[int] | None, *, decide: Decision, now: datetime | None, batch: int) -> RescueReport:
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    with transaction.atomic(using=connector.alias):
        rows = connector.execute_query_all(
            statement("jobs/lock_orphaned_jobs"),
            job_ids=job_ids,
            now=now,
            orphaned_after=plain_orphaned_after(),
            batch=batch,
        )
        orphans = [OrphanedJob(**_without_now(row)) for row in rows]
        ends = [_end_of(orphan, decide(orphan), now=rows[0]["now"]) for orphan in orphans]
        settled = settle(connector, ends, now=rows[0]["now"]) if ends else []
    _log(orphans, settled)
    return _report(settled)


def _end_of(orphan: OrphanedJob, decision: Rescue, *, now: datetime) -> Completion:
    status, outcome = _END_OF[decision]
    finished = time.monotonic()
    lost = WorkerLost(
        worker_id=orphan.worker_id, silent_seconds=orphan.silent_seconds, crashes=orphan.earlier_crashes + 1
    )
    return Completion(
        job_id=orphan.id,
        worker_id=orphan.worker_id,
        attempts=orphan.attempts,
        status=status,
        outcome=outcome.value,
        task_name=orphan.task_name,
        queue_name=orphan.queue_name,
        started_at=finished - (now - orphan.started_at).total_seconds(),
        finished_at=finished,
        exception_class=f"{WorkerLost.__module__}.{WorkerLost.__qualname__}",
        message=str(lost),
    )


def _report(settled: Sequence[Recorded]) -> RescueReport:
    def ids(outcome: Outcome) -> tuple[int, ...]:
        return tuple(item.job_id for item in settled if item.outcome is outcome)

    return RescueReport(
        run_again=ids(Outcome.CRASHED),
        parked=ids(Outcome.PARKED),
        aborted=ids(Outcome.ABORTED),
        superseded=ids(Outcome.SUPERSEDED),
    )


def _log(orphans: Sequence[OrphanedJob], settled: Sequence[Recorded]) -> None:
    outcomes = {item.job_id: item.outcome for item in settled}
    for orphan in (each for each in orphans if each.id in outcomes):
        outcome = outcomes[orphan.id]
        logger.log(
            logging.ERROR if outcome is Outcome.PARKED else logging.WARNING,
            "Job's worker was lost",
            extra={
                "event": f"job_{outcome.value}",
                "job_id": orphan.id,
                "task": orphan.task_name,
                "queue": orphan.queue_name,
                "attempt": orphan.attempts + 1,
                "lost_worker_id": orphan.worker_id,
                "crashes": orphan.earlier_crashes + 1,
            },
        )


def _without_now(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "now"}
