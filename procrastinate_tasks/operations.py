"""What staff may do to jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.contrib.django.settings import settings as procrastinate_settings

from procrastinate_tasks.statements import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRetryReport:
    """Which jobs wait again, and which do not: not ended in failure, or their queueing lock is taken."""

    retried: tuple[int, ...]
    refused: tuple[int, ...]


def retry_by_hand(job_ids: Sequence[int]) -> HandRetryReport:
    """Let failed and aborted jobs wait once more, also those parked because they kept losing their workers.

    Their attempts stay counted: a job that used up its retries gets this one run. A running job is never
    touched.
    """
    connector = DjangoConnector(alias=procrastinate_settings.DATABASE_ALIAS)
    rows = connector.execute_query_all(statement("retry_by_hand"), job_ids=list(job_ids))
    retried = tuple(row["id"] for row in rows)
    return HandRetryReport(
        retried=retried, refused=tuple(job_id for job_id in job_ids if job_id not in set(retried))
    )
