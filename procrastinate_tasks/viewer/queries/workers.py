"""The workers page's question: which jobs are in progress, and whose worker is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.conf import plain_orphaned_after
from procrastinate_tasks.statements import statement

MOST_JOBS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInProgress:
    """A job that is ``doing``; ``worker_id`` is None where the worker's row is gone."""

    id: int
    task_name: str
    queue_name: str
    attempts: int
    worker_id: int | None
    abort_requested: bool
    started_at: datetime | None
    is_orphaned: bool


def list_jobs_in_progress() -> tuple[JobInProgress, ...]:
    """Return the jobs in progress, at most ``MOST_JOBS``: the orphaned first, then the longest running."""
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    rows = connector.execute_query_all(
        statement("jobs_of_workers"), orphaned_after=plain_orphaned_after(), at_most=MOST_JOBS
    )
    return tuple(JobInProgress(**row) for row in rows)
