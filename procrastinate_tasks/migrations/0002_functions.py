"""The functions that the queue app's statements call, and what it adds to Procrastinate's tables beside indexes.

Procrastinate's own functions and triggers stay as they are.
"""

from __future__ import annotations

from django.db import migrations

# Tells the workers of a queue to look again: ours and Procrastinate's listen to these channels for new jobs.
WAKE_WORKERS = """
CREATE FUNCTION procrastinate_tasks_wake_workers_v1(queue text) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(pg_notify(channel, '{"type": "job_inserted", "job_id": 0}')::text)
    FROM unnest(ARRAY['procrastinate_queue_v1#' || queue, 'procrastinate_any_queue_v1']) AS channel
$$
"""

# How many more jobs of a queue may start at a moment, and when the next may if none. A start counts until a
# period after the end of its slice: a twentieth of the period late at most, and never too early.
RATE_ROOM = """
CREATE FUNCTION procrastinate_tasks_rate_room_v1(
    rule procrastinate_tasks_queuerule, moment timestamptz, OUT room integer, OUT opens_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT
        (rule.rate_limit - coalesce(sum(slice.starts::integer), 0))::integer,
        CASE
            WHEN sum(slice.starts::integer) >= rule.rate_limit
            THEN to_timestamp(min(slice.ends_at::numeric)::double precision) + rule.rate_period
        END
    FROM jsonb_each_text(rule.recent_starts) AS slice (ends_at, starts)
    WHERE slice.ends_at::numeric > extract(EPOCH FROM moment - rule.rate_period)::numeric
$$
"""

# The recent starts with some more. Old ones stay for twice the period: a claim that began a little earlier,
# and comes a little later, still counts them.
COUNT_STARTS = """
CREATE FUNCTION procrastinate_tasks_count_starts_v1(
    rule procrastinate_tasks_queuerule, moment timestamptz, started bigint
) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(ends_at, starts)
    FROM (
        SELECT ends_at, sum(starts) AS starts
        FROM (
            SELECT slice.ends_at::numeric AS ends_at, slice.starts::bigint AS starts
            FROM jsonb_each_text(rule.recent_starts) AS slice (ends_at, starts)
            WHERE slice.ends_at::numeric > extract(EPOCH FROM moment - 2 * rule.rate_period)::numeric
            UNION ALL
            SELECT ceil(extract(EPOCH FROM moment)::numeric / width) * width, started
            FROM (SELECT extract(EPOCH FROM rule.rate_period)::numeric / 20 AS width) AS slice
        ) AS start
        GROUP BY ends_at
    ) AS kept
$$
"""

# When a limited queue may start its next job: minus infinity if now, infinity if only a running job's end or
# staff can tell.
OPENS_AT = """
CREATE FUNCTION procrastinate_tasks_opens_at_v1(queue text, moment timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule procrastinate_tasks_queuerule;
BEGIN
    SELECT * INTO rule FROM procrastinate_tasks_queuerule WHERE queue_name = queue;
    IF rule.paused_at IS NOT NULL OR rule.concurrency_limit <= (
        SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND queue_name = queue
    ) THEN
        RETURN 'infinity';
    END IF;
    RETURN coalesce((procrastinate_tasks_rate_room_v1(rule, moment)).opens_at, '-infinity');
END
$$
"""

# How many jobs of a limited queue a claim may take. The rule stays locked until the claim commits, so that
# claims of one queue come one after another; a queue that another worker is claiming from has no room now,
# because waiting would hold up this worker's other queues. Each statement has a snapshot of its own: the one
# that counts the running jobs sees every claim that was committed before the lock was ours. A queue that is
# closed or empty is not locked.
LOCK_ROOM = """
CREATE FUNCTION procrastinate_tasks_lock_room_v1(queue text, slots integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    rule procrastinate_tasks_queuerule;
    room integer := slots;
BEGIN
    IF procrastinate_tasks_opens_at_v1(queue, now()) > now() OR NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = queue AND scheduled_at IS NULL
    ) AND NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = queue AND scheduled_at <= now()
    ) THEN
        RETURN 0;
    END IF;
    SELECT * INTO rule FROM procrastinate_tasks_queuerule WHERE queue_name = queue FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR rule.paused_at IS NOT NULL THEN
        RETURN 0;
    END IF;
    IF rule.rate_limit IS NOT NULL THEN
        room := least(room, (procrastinate_tasks_rate_room_v1(rule, now())).room);
    END IF;
    IF rule.concurrency_limit IS NOT NULL THEN
        room := least(room, rule.concurrency_limit - (
            SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing' AND queue_name = queue
        ));
    END IF;
    RETURN greatest(0, room);
END
$$
"""

# Brings instants that only Postgres knows into the years that everybody can read: a job may be scheduled for
# the year 0 or for infinity, and such a row must not end the claim that reads it. A day from either end of Python's years, so that every time zone can show them.
READABLE = """
    CREATE FUNCTION procrastinate_tasks_readable_v1(instant timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN instant < '0001-01-02 00:00:00+00'::timestamptz THEN '0001-01-02 00:00:00+00'::timestamptz
        WHEN instant > '9999-12-30 00:00:00+00'::timestamptz THEN '9999-12-30 00:00:00+00'::timestamptz
        ELSE instant
    END
"""

# Rows only: emptying the whole table is the owner's, and the tests'.
AUDIT_NEVER_CHANGES = """
CREATE FUNCTION procrastinate_tasks_refuse_audit_change_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entry % never changes and stays', OLD.id
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ptasks_audit_never_changes';
END $$;
CREATE TRIGGER ptasks_audit_never_changes BEFORE UPDATE OR DELETE ON procrastinate_tasks_auditentry
    FOR EACH ROW EXECUTE FUNCTION procrastinate_tasks_refuse_audit_change_v1();
"""
AUDIT_MAY_CHANGE = """
DROP TRIGGER ptasks_audit_never_changes ON procrastinate_tasks_auditentry;
DROP FUNCTION procrastinate_tasks_refuse_audit_change_v1();
"""


def function(sql: str, name: str) -> migrations.RunSQL:
    return migrations.RunSQL(sql=sql, reverse_sql=f"DROP FUNCTION {name}")


def goes_with(row: str, *, table: str, column: str, parent: str) -> migrations.RunSQL:
    """However a job's or a worker's row goes, by Procrastinate's own commands too, what is kept of it goes as well."""
    return migrations.RunSQL(
        sql=f"""
            ALTER TABLE procrastinate_tasks_{table} ADD CONSTRAINT ptasks_{table}_{row}
            FOREIGN KEY ({column}) REFERENCES {parent} (id) ON DELETE CASCADE
        """,
        reverse_sql=f"ALTER TABLE procrastinate_tasks_{table} DROP CONSTRAINT ptasks_{table}_{row}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate_tasks", "0001_tables"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]
    # What locks Procrastinate's tables comes last, so that a database in use waits for a moment only.
    operations = [
        function(WAKE_WORKERS, "procrastinate_tasks_wake_workers_v1"),
        function(RATE_ROOM, "procrastinate_tasks_rate_room_v1"),
        function(COUNT_STARTS, "procrastinate_tasks_count_starts_v1"),
        function(OPENS_AT, "procrastinate_tasks_opens_at_v1"),
        function(LOCK_ROOM, "procrastinate_tasks_lock_room_v1"),
        function(READABLE, "procrastinate_tasks_readable_v1"),
        migrations.RunSQL(sql=AUDIT_NEVER_CHANGES, reverse_sql=AUDIT_MAY_CHANGE),
        goes_with("worker", table="liveworker", column="worker_id", parent="procrastinate_workers"),
        goes_with("job", table="jobexpiry", column="job_id", parent="procrastinate_jobs"),
        goes_with("job", table="jobprogress", column="job_id", parent="procrastinate_jobs"),
        goes_with("job", table="joblog", column="job_id", parent="procrastinate_jobs"),
        goes_with("job", table="jobstack", column="job_id", parent="procrastinate_jobs"),
        # Procrastinate notifies of inserted jobs only; a retry, a rescue, a release by hand are news as well.
        migrations.RunSQL(
            sql="""
                CREATE TRIGGER ptasks_notify_waiting_again
                AFTER UPDATE OF status ON procrastinate_jobs
                FOR EACH ROW WHEN (new.status = 'todo' AND old.status <> 'todo')
                EXECUTE PROCEDURE procrastinate_notify_queue_job_inserted_v1()
            """,
            reverse_sql="DROP TRIGGER IF EXISTS ptasks_notify_waiting_again ON procrastinate_jobs",
        ),
    ]
