-- Insert jobs in one statement; a job whose queueing lock is taken is left out.
-- They go in in the order of their queueing locks, and are numbered before, in the order they were given: who inserts
-- the same locks at the same time waits for others in turn, and never in a circle.
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
        %(scheduled_ats)s::timestamptz[]
    ) WITH ORDINALITY AS wanted (
        queue_name, task_name, priority, lock, queueing_lock, arguments, scheduled_at, place
    )
),
inserted AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at
    )
    SELECT id, queue_name, task_name, priority, lock, queueing_lock, arguments::jsonb, scheduled_at
    FROM call
    ORDER BY queueing_lock NULLS FIRST, place
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
    RETURNING id
)
SELECT call.place, inserted.id
FROM inserted
JOIN call USING (id)
ORDER BY call.place
