"""Indexes on Procrastinate's table that keep a claim's cost flat, and a notification for jobs that wait again."""

from __future__ import annotations

from django.db import migrations

CREATE_INDEXES = [
    # Ready jobs of one queue in the order of their claim, with no job of another queue or day in between.
    """CREATE INDEX IF NOT EXISTS procrastinate_tasks_ready ON procrastinate_jobs (queue_name, priority DESC, id)
       WHERE status = 'todo' AND scheduled_at IS NULL""",
    # Scheduled jobs of one queue in the order they fall due.
    """CREATE INDEX IF NOT EXISTS procrastinate_tasks_due ON procrastinate_jobs (queue_name, scheduled_at)
       WHERE status = 'todo' AND scheduled_at IS NOT NULL""",
    # The other jobs with the same lock: Procrastinate's own index has the lock second.
    """CREATE INDEX IF NOT EXISTS procrastinate_tasks_lock ON procrastinate_jobs (lock)
       WHERE lock IS NOT NULL AND status IN ('todo', 'doing')""",
    # The foreign key's own question when a worker's row goes: without it each worker start reads the whole table.
    """CREATE INDEX IF NOT EXISTS procrastinate_tasks_worker ON procrastinate_jobs (worker_id)
       WHERE worker_id IS NOT NULL""",
]
DROP_INDEXES = [
    "DROP INDEX IF EXISTS procrastinate_tasks_ready",
    "DROP INDEX IF EXISTS procrastinate_tasks_due",
    "DROP INDEX IF EXISTS procrastinate_tasks_lock",
    "DROP INDEX IF EXISTS procrastinate_tasks_worker",
]

# Procrastinate notifies only of inserted jobs. A retry, a rescue or a release by hand is news as well.
CREATE_TRIGGER = """
CREATE TRIGGER procrastinate_tasks_notify_waiting_again
    AFTER UPDATE OF status ON procrastinate_jobs
    FOR EACH ROW WHEN (new.status = 'todo' AND old.status <> 'todo')
    EXECUTE PROCEDURE procrastinate_notify_queue_job_inserted_v1()
"""
DROP_TRIGGER = "DROP TRIGGER IF EXISTS procrastinate_tasks_notify_waiting_again ON procrastinate_jobs"


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate", "0041_post_retry_failed_job"),
        ("procrastinate_tasks", "0001_initial"),
    ]

    operations = [
        *(
            migrations.RunSQL(create, reverse_sql=drop)
            for create, drop in zip(CREATE_INDEXES, DROP_INDEXES, strict=True)
        ),
        migrations.RunSQL(CREATE_TRIGGER, reverse_sql=DROP_TRIGGER),
    ]
