"""Leaves jobs without a lock out of the index on locks: they are most, and each claim wrote an entry."""

from __future__ import annotations

from django.db import migrations

DROP_ALL = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_lock"
CREATE_ALL = """
CREATE INDEX CONCURRENTLY ptasks_jobs_lock ON procrastinate_jobs (lock)
WHERE status IN ('todo', 'doing')
"""
DROP_HELD = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_held_lock"
CREATE_HELD = """
CREATE INDEX CONCURRENTLY ptasks_jobs_held_lock ON procrastinate_jobs (lock)
WHERE lock IS NOT NULL AND status IN ('todo', 'doing')
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0010_task_index")]
    operations = [
        migrations.RunSQL(sql=[DROP_HELD, CREATE_HELD], reverse_sql=DROP_HELD),
        migrations.RunSQL(sql=DROP_ALL, reverse_sql=[DROP_ALL, CREATE_ALL]),
    ]
