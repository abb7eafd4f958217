-- Registers a worker with Procrastinate, and what it says about itself with us.
WITH registered AS MATERIALIZED (
    SELECT worker_id FROM procrastinate_register_worker_v1()
)
INSERT INTO procrastinate_tasks_liveworker (
    worker_id, host, pid, release, queues, tasks, capacity, running, memory_bytes, max_memory_bytes, orphaned_after,
    started_at
)
SELECT
    worker_id, %(host)s, %(pid)s, %(release)s, %(queues)s::jsonb, %(tasks)s::jsonb, %(capacity)s, 0, 0, %(max_memory_bytes)s,
    %(orphaned_after)s, now()
FROM registered
RETURNING worker_id
