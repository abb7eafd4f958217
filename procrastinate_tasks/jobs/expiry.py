"""Ends jobs that had not started when their time was over: as cancelled, and known to have expired."""

from __future__ import annotations

from datetime import datetime

from procrastinate_tasks.conf import queue_settings
from procrastinate_tasks.database import fetch_row, statement


def run_once(now: datetime | None = None) -> int:
    """End one batch of expired jobs, and return how many; a claim ends those it meets itself.

    Args:
        now: by default the database's clock.
    """
    row = fetch_row(statement("jobs/expire_jobs"), now=now, batch=queue_settings().retention_batch)
    return int(row["expired"])
