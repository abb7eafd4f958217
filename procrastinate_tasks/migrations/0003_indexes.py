"""The indexes on Procrastinate's tables: built without blocking those who write, as jobs may be there already.

Outside a transaction, therefore apart from everything else: what was cut short is simply run again.
"""

from __future__ import annotations

from django.db import migrations

READY = "status = 'todo' AND scheduled_at IS NULL"
LATER = "status = 'todo' AND scheduled_at IS NOT NULL"


def index(name: str, definition: str) -> migrations.RunSQL:
    """Build an index anew if an earlier try was cut short: it left one that is not valid."""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    return migrations.RunSQL(
        sql=[drop, f"CREATE INDEX CONCURRENTLY {name} ON {definition}"], reverse_sql=drop
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("procrastinate_tasks", "0002_functions"),
    ]
    operations = [
        # Claiming a job looks for running and waiting ones with its lock; most have none, and write no entry.
        index(
            "ptasks_jobs_held_lock",
            "procrastinate_jobs (lock) WHERE lock IS NOT NULL AND status IN ('todo', 'doing')",
        ),
        # A worker that ends clears its id on all its jobs: 145 -> 0.4 ms at a million of them.
        index("ptasks_jobs_worker", "procrastinate_jobs (worker_id) WHERE worker_id IS NOT NULL"),
        # Retention finds the jobs that ended longest ago; ends are counted from the index alone.
        index(
            "ptasks_events_ended",
            "procrastinate_events (type, at) INCLUDE (job_id)"
            " WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')",
        ),
        # Ready jobs of one queue in the order of their claim, those without a lock, and those with one: a claim
        # passes over jobs that wait for a lock. They are counted from the indexes alone.
        index(
            "ptasks_jobs_free_place",
            "procrastinate_jobs (queue_name, (-priority), id) INCLUDE (task_name)"
            f" WHERE {READY} AND lock IS NULL",
        ),
        index(
            "ptasks_jobs_locked_place",
            "procrastinate_jobs (queue_name, (-priority), id) INCLUDE (task_name, lock, priority)"
            f" WHERE {READY} AND lock IS NOT NULL",
        ),
        # The first job of each lock, among the ready and among the scheduled ones.
        index(
            "ptasks_jobs_lock_order",
            f"procrastinate_jobs (lock, (-priority), id) WHERE {READY} AND lock IS NOT NULL",
        ),
        index(
            "ptasks_jobs_lock_due",
            f"procrastinate_jobs (lock, (-priority), id) WHERE {LATER} AND lock IS NOT NULL",
        ),
        # Scheduled jobs of one queue in the order they fall due, again without a lock and with one.
        index(
            "ptasks_jobs_due_free",
            f"procrastinate_jobs (queue_name, scheduled_at) WHERE {LATER} AND lock IS NULL",
        ),
        index(
            "ptasks_jobs_due_locked",
            f"procrastinate_jobs (queue_name, scheduled_at) WHERE {LATER} AND lock IS NOT NULL",
        ),
        # Scheduled jobs of all queues, for lists of what runs next; counted from the index alone.
        index(
            "ptasks_jobs_later",
            f"procrastinate_jobs (scheduled_at, id) INCLUDE (queue_name, attempts) WHERE {LATER}",
        ),
        # Lists and bulk retries find the jobs that did not succeed among a million that did: 154 -> 24 ms.
        index(
            "ptasks_jobs_unsuccessful",
            "procrastinate_jobs (status, id) INCLUDE (task_name, queue_name)"
            " WHERE status IN ('failed', 'cancelled', 'aborting', 'aborted')",
        ),
        # The viewer finds a task that ran seldom: 84 -> 2 ms; 7 MB at a million jobs, as equal names are stored once.
        index("ptasks_jobs_task", "procrastinate_jobs (task_name)"),
        # Statistics follow a backlog: by Postgres' own measure 20,000 new jobs are nothing beside 200,000 old ones.
        migrations.RunSQL(
            sql="ALTER TABLE procrastinate_jobs"
            " SET (autovacuum_analyze_scale_factor = 0.01, autovacuum_analyze_threshold = 1000)",
            reverse_sql="ALTER TABLE procrastinate_jobs"
            " RESET (autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)",
        ),
    ]
