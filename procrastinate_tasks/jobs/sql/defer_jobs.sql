-- Insert jobs in one statement; a job whose queueing lock or unique key is taken is left out.
-- They go in in the order of their queueing locks, and are numbered before, in the order they were given: who inserts
-- the same locks at the same time waits for others in turn, and never in a circle. So with unique keys.
-- What is said as a while counts from now by the database's clock.
-- Answers one row for each job inserted: its place in the arrays, from 1, and its id.
WITH call AS MATERIALIZED (
    SELECT wanted.*, nextval(pg_get_serial_sequence('procrastinate_jobs', 'id')) AS id
    FROM unnest(
        %(queues)s::varchar[],
        %(task_names)s::varchar[],
        %(priorities)s::integer[],
        %(locks)s::text[],
        %(queueing_locks)s::text[],
        %(arguments)s::text[],
        %(scheduled_ats)s::timestamptz[],
        %(schedule_ins)s::float8[],
        %(expires_ats)s::timestamptz[],
        %(expires_ins)s::float8[],
        %(unique_keys)s::text[],
        %(unique_fors)s::float8[]
    ) WITH ORDINALITY AS wanted (
        queue_name, task_name, priority, lock, queueing_lock, arguments, scheduled_at, schedule_in, expires_at,
        expires_in, unique_key, unique_for, place
    )
),
unique_call AS (
    INSERT INTO procrastinate_tasks_uniquejob AS taken (key, job_id, until)
    SELECT DISTINCT ON (unique_key) unique_key, id, statement_timestamp() + unique_for * interval '1 second'
    FROM call
    WHERE unique_key IS NOT NULL
    ORDER BY unique_key, place
    ON CONFLICT (key) DO UPDATE SET job_id = excluded.job_id, until = excluded.until
        WHERE taken.until <= statement_timestamp()
    RETURNING job_id
),
inserted AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at
    )
    SELECT
        id, queue_name, task_name, priority, lock, queueing_lock, arguments::jsonb,
        coalesce(scheduled_at, statement_timestamp() + schedule_in * interval '1 second')
    FROM call
    WHERE unique_key IS NULL OR id IN (SELECT job_id FROM unique_call)
    ORDER BY queueing_lock NULLS FIRST, place
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
    RETURNING id
),
expiring AS (
    INSERT INTO procrastinate_tasks_jobexpiry (job_id, expires_at)
    SELECT id, coalesce(expires_at, statement_timestamp() + expires_in * interval '1 second')
    FROM call
    JOIN inserted USING (id)
    WHERE expires_at IS NOT NULL OR expires_in IS NOT NULL
)
SELECT call.place, inserted.id
FROM inserted
JOIN call USING (id)
ORDER BY call.place
