-- Insert one job, as nearly every call does; nothing where its queueing lock is taken. Postgres plans the statement for
-- many, with its unique keys and expiries, for longer than it takes to insert a job.
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
VALUES (
    %(queue)s, %(task_name)s, %(priority)s, %(lock)s, %(queueing_lock)s, %(arguments)s::text::jsonb,
    coalesce(%(scheduled_at)s::timestamptz, statement_timestamp() + %(schedule_in)s::float8 * interval '1 second')
)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
RETURNING id
