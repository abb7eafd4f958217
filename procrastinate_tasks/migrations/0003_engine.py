"""Indexes that keep the cost of a claim flat, and a notification for jobs that wait again."""

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
    dependencies = [("procrastinate_tasks", "0002_indexes")]
    operations = [
        # Ready jobs of one queue in the order of their claim, no other queue's and no later day's between.
        index(
            "ptasks_jobs_ready",
            "procrastinate_jobs (queue_name, (-priority), id) WHERE status = 'todo' AND scheduled_at IS NULL",
        ),
        # Scheduled jobs of one queue in the order they fall due.
        index(
            "ptasks_jobs_due",
            "procrastinate_jobs (queue_name, scheduled_at)"
            " WHERE status = 'todo' AND scheduled_at IS NOT NULL",
        ),
        # Procrastinate notifies of inserted jobs only; a retry, a rescue, a release by hand are news as well.
        migrations.RunSQL(
            sql="""
                CREATE TRIGGER ptasks_notify_waiting_again
                AFTER UPDATE OF status ON procrastinate_jobs
                FOR EACH ROW WHEN (new.status = 'todo' AND old.status <> 'todo')
                EXECUTE PROCEDURE procrastinate_notify_queue_job_inserted_v1()
            """,
            reverse_sql="DROP TRIGGER IF EXISTS ptasks_notify_waiting_again ON procrastinate_jobs",
        ),
    ]
