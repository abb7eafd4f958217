"""An index on the jobs that did not succeed: lists and bulk retries find them among a million that did."""

from __future__ import annotations

from django.db import migrations

# With the counts of the job list: 154 -> 24 ms at a million jobs.
DROP = "DROP INDEX CONCURRENTLY IF EXISTS ptasks_jobs_unsuccessful"
CREATE = """
CREATE INDEX CONCURRENTLY ptasks_jobs_unsuccessful ON procrastinate_jobs (status, id)
INCLUDE (task_name, queue_name)
WHERE status IN ('failed', 'cancelled', 'aborting', 'aborted')
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0006_actions")]
    operations = [migrations.RunSQL(sql=[DROP, CREATE], reverse_sql=DROP)]
