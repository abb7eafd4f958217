"""Ready jobs are in one index: those without a lock, or those with one. The index of both cost each new job an entry."""

from __future__ import annotations

from django.db import migrations

DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_ready"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0012_due_jobs_by_lock"),
    ]

    operations = [
        migrations.RunSQL(
            sql=DROP,
            reverse_sql=[
                DROP,
                "CREATE INDEX CONCURRENTLY ptasks_jobs_ready ON procrastinate_jobs (queue_name, (-priority), id)"
                " WHERE status = 'todo' AND scheduled_at IS NULL",
            ],
        ),
    ]
