"""Scheduled jobs by when they are due, with all that counting them asks for: no row of the table is read."""

from __future__ import annotations

from django.db import migrations

DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_by_due_time"
DROP_NEW = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_later"
WHICH = " WHERE status = 'todo' AND scheduled_at IS NOT NULL"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0010_alert_silences"),
    ]

    operations = [
        migrations.RunSQL(
            sql=[
                DROP_NEW,
                "CREATE INDEX CONCURRENTLY ptasks_jobs_later ON procrastinate_jobs (scheduled_at, id)"
                " INCLUDE (queue_name, attempts)" + WHICH,
                DROP,
            ],
            reverse_sql=[
                DROP,
                "CREATE INDEX CONCURRENTLY ptasks_jobs_by_due_time ON procrastinate_jobs (scheduled_at, id)"
                + WHICH,
                DROP_NEW,
            ],
        ),
    ]
