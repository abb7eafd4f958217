"""Ready jobs and ends with all that counting them asks for: no row of the tables is read. None is added."""

from __future__ import annotations

from django.db import migrations

READY = " WHERE status = 'todo' AND scheduled_at IS NULL"
ENDS = " WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')"
PLACE = "procrastinate_jobs (queue_name, (-priority), id)"
# Each takes the place of another: old name, new name, old definition, new definition.
REPLACED = (
    (
        "ptasks_jobs_free",
        "ptasks_jobs_free_place",
        f"{PLACE}{READY} AND lock IS NULL",
        f"{PLACE} INCLUDE (task_name){READY} AND lock IS NULL",
    ),
    (
        "ptasks_jobs_locked",
        "ptasks_jobs_locked_place",
        f"{PLACE}{READY} AND lock IS NOT NULL",
        f"{PLACE} INCLUDE (task_name, lock, priority){READY} AND lock IS NOT NULL",
    ),
    (
        "ptasks_events_end",
        "ptasks_events_ended",
        f"procrastinate_events (type, at){ENDS}",
        f"procrastinate_events (type, at) INCLUDE (job_id){ENDS}",
    ),
)


def replace(*, old: str, new: str, definition: str) -> tuple[str, ...]:
    """Return the statements; one that was interrupted begins anew."""
    return (
        f"DROP INDEX CONCURRENTLY IF EXISTS {new}",
        f"CREATE INDEX CONCURRENTLY {new} ON {definition}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {old}",
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0013_ready_jobs_once"),
    ]

    operations = [
        migrations.RunSQL(
            sql=replace(old=old, new=new, definition=wider),
            reverse_sql=replace(old=new, new=old, definition=narrower),
        )
        for old, new, narrower, wider in REPLACED
    ]
