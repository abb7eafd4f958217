-- Seconds until the next waiting job is due on the served queues: 0 when one is ready now, NULL when none waits.
WITH RECURSIVE known_queue (name) AS (
    (SELECT min(queue_name) FROM procrastinate_jobs)
    UNION ALL
    SELECT (SELECT min(queue_name) FROM procrastinate_jobs WHERE queue_name > known_queue.name)
    FROM known_queue
    WHERE known_queue.name IS NOT NULL
),
served_queue AS (
    SELECT name FROM known_queue WHERE name IS NOT NULL AND %(queues)s::text[] IS NULL
    UNION ALL
    SELECT unnest(%(queues)s::text[])
),
waiting AS (
    SELECT
        EXISTS (
            SELECT FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = served_queue.name AND scheduled_at IS NULL
        ) AS is_ready,
        (
            SELECT min(scheduled_at) FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = served_queue.name AND scheduled_at IS NOT NULL
        ) AS due_at
    FROM served_queue
)
SELECT
    CASE
        WHEN bool_or(is_ready) THEN 0
        ELSE greatest(0, extract(EPOCH FROM min(due_at) - clock_timestamp()))
    END::double precision
FROM waiting
