"""Due jobs of a queue, those without a lock and those with one: a claim reads none that waits for a lock.

And statistics that follow a backlog: by Postgres' own measure 20,000 new jobs are nothing beside 200,000 old ones.
"""

from __future__ import annotations

from django.db import migrations

WHICH = " ON procrastinate_jobs (queue_name, scheduled_at) WHERE status = 'todo' AND scheduled_at IS NOT NULL"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_due"
DROP_FREE = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_due_free"
DROP_LOCKED = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_due_locked"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0011_counts_of_scheduled_jobs"),
    ]

    operations = [
        migrations.RunSQL(
            sql=[
                DROP_FREE,
                f"CREATE INDEX CONCURRENTLY ptasks_jobs_due_free{WHICH} AND lock IS NULL",
                DROP_LOCKED,
                f"CREATE INDEX CONCURRENTLY ptasks_jobs_due_locked{WHICH} AND lock IS NOT NULL",
                DROP,
            ],
            reverse_sql=[
                DROP,
                f"CREATE INDEX CONCURRENTLY ptasks_jobs_due{WHICH}",
                DROP_LOCKED,
                DROP_FREE,
            ],
        ),
        migrations.RunSQL(
            sql="ALTER TABLE procrastinate_jobs"
            " SET (autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000)",
            reverse_sql="ALTER TABLE procrastinate_jobs"
            " RESET (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)",
        ),
    ]
