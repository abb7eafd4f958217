"""Indexes for the job viewer's list and counts at a million finished jobs."""

from __future__ import annotations

from django.db import migrations


def index(name: str, definition: str) -> migrations.RunSQL:
    """Build an index without blocking those who write, and again if an earlier try was cut short."""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    return migrations.RunSQL(
        sql=[drop, f"CREATE INDEX CONCURRENTLY {name} ON {definition}"], reverse_sql=drop
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0006_actions")]
    operations = [
        # The newest failed or cancelled jobs, and how many: 154 -> 24 ms for all counts at a million jobs.
        index(
            "ptasks_jobs_unsuccessful",
            "procrastinate_jobs (status, id) INCLUDE (task_name, queue_name)"
            " WHERE status IN ('failed', 'cancelled', 'aborting', 'aborted')",
        ),
        # A task that ran seldom, among a million others: 84 -> 2 ms; 7 MB, because equal names are stored once.
        index("ptasks_jobs_task", "procrastinate_jobs (task_name)"),
    ]
