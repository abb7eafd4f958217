"""An index that groups failed attempts by fault without reading them, built while others write."""

from __future__ import annotations

from django.db import migrations, models

NAME = "ptasks_attempt_failure"
DROP = f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}"
CREATE = f"""
    CREATE INDEX CONCURRENTLY {NAME}
    ON procrastinate_tasks_jobattempt (task_name, fingerprint, exception_class, finished_at)
    WHERE exception_class > ''
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("procrastinate_tasks", "0008_rollups")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(sql=[DROP, CREATE], reverse_sql=DROP)],
            state_operations=[
                migrations.AddIndex(
                    model_name="jobattempt",
                    index=models.Index(
                        condition=models.Q(("exception_class__gt", "")),
                        fields=["task_name", "fingerprint", "exception_class", "finished_at"],
                        name=NAME,
                    ),
                )
            ],
        ),
    ]
