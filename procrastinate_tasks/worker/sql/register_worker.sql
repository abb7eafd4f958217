-- Registers a worker with Procrastinate, and what it says about itself with us; notes what its release knows.
WITH registered AS MATERIALIZED (
    SELECT worker_id FROM procrastinate_register_worker_v1()
),
noted AS (
    INSERT INTO procrastinate_tasks_release AS known (name, first_seen_at, last_seen_at, tasks)
    SELECT %(release)s::text, now(), now(), %(tasks)s::jsonb
    WHERE %(release)s::text <> ''
    ON CONFLICT (name) DO UPDATE SET tasks = excluded.tasks, last_seen_at = excluded.last_seen_at
)
INSERT INTO procrastinate_tasks_liveworker (
    worker_id, host, pid, release, project, code, queues, tasks, limits, capacity, running, memory_bytes,
    max_memory_bytes, orphaned_after, started_at
)
SELECT
    worker_id, %(host)s, %(pid)s, %(release)s::text, %(project)s, %(code)s, %(queues)s::jsonb, %(tasks)s::jsonb,
    %(limits)s::jsonb, %(capacity)s, 0, 0, %(max_memory_bytes)s, %(orphaned_after)s, now()
FROM registered
RETURNING worker_id
