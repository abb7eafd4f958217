-- The queues that jobs or rules name, each found by one step in an index.
WITH RECURSIVE known_queue (name) AS (
    (SELECT min(queue_name) FROM procrastinate_jobs)
    UNION ALL
    SELECT (SELECT min(queue_name) FROM procrastinate_jobs WHERE queue_name > known_queue.name)
    FROM known_queue
    WHERE known_queue.name IS NOT NULL
)
SELECT name FROM known_queue WHERE name IS NOT NULL
UNION
SELECT queue_name FROM procrastinate_tasks_queuerule
