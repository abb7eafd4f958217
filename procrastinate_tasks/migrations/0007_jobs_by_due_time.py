"""Scheduled jobs in the order they fall due, whatever their queue: lists of what runs next."""

from __future__ import annotations

from django.db import migrations

DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_by_due_time"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0006_faults"),
    ]

    operations = [
        migrations.RunSQL(
            sql=[
                DROP,
                "CREATE INDEX CONCURRENTLY ptasks_jobs_by_due_time ON procrastinate_jobs (scheduled_at, id)"
                " WHERE status = 'todo' AND scheduled_at IS NOT NULL",
            ],
            reverse_sql=DROP,
        ),
    ]
