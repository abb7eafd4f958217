"""Stores how far running jobs say they have come, beside their rows."""

from __future__ import annotations

from collections.abc import Collection

from procrastinate_tasks.database import execute, statement
from procrastinate_tasks.jobs.context import Progress


def store(reports: Collection[Progress]) -> None:
    """Store what jobs said last; of one that is gone, or that another attempt overtook, nothing."""
    execute(
        statement("jobs/store_progress"),
        job_ids=[report.job_id for report in reports],
        attempts=[report.attempt for report in reports],
        dones=[report.done for report in reports],
        totals=[report.total for report in reports],
        texts=[report.text for report in reports],
    )
