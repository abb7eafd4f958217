"""Indexes by which a claim passes over jobs that wait for a lock: the cost of one grew with their number."""

from __future__ import annotations

from django.db import migrations


def index(name: str, columns: str, condition: str) -> migrations.RunSQL:
    """Build an index without blocking those who write, and again if an earlier try was cut short."""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    create = f"CREATE INDEX CONCURRENTLY {name} ON procrastinate_jobs ({columns})"
    return migrations.RunSQL(sql=[drop, f"{create} WHERE status = 'todo' AND {condition}"], reverse_sql=drop)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0014_refusals")]
    operations = [
        # Ready jobs of one queue in the order of their claim: those without a lock, and those with one.
        index("ptasks_jobs_free", "queue_name, (-priority), id", "scheduled_at IS NULL AND lock IS NULL"),
        index(
            "ptasks_jobs_locked", "queue_name, (-priority), id", "scheduled_at IS NULL AND lock IS NOT NULL"
        ),
        # The first job of each lock, among the ready and among the scheduled ones.
        index("ptasks_jobs_lock_order", "lock, (-priority), id", "scheduled_at IS NULL AND lock IS NOT NULL"),
        index(
            "ptasks_jobs_lock_due", "lock, (-priority), id", "scheduled_at IS NOT NULL AND lock IS NOT NULL"
        ),
    ]
