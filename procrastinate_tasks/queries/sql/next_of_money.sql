-- The next jobs of some tasks: those that wait for a worker, in the order of their claim, then by the time they are due.
-- The former are asked for queue by queue, as the indexes are that hold none of those for later.
WITH RECURSIVE {{ready_queues}}
SELECT next.id, next.task_name, next.args::text AS args, procrastinate_tasks_readable_v1(next.scheduled_at) AS due_at
FROM (
    (
        SELECT ready.id, ready.task_name, ready.args, NULL::timestamptz AS scheduled_at, ready.priority
        FROM free_queue
        CROSS JOIN LATERAL (
            SELECT id, task_name, args, priority
            FROM procrastinate_jobs
            WHERE queue_name = free_queue.queue_name
              AND status = 'todo'
              AND scheduled_at IS NULL
              AND lock IS NULL
              AND task_name = ANY(%(tasks)s)
            ORDER BY -priority, id
            LIMIT %(at_most)s
        ) AS ready
    )
    UNION ALL
    (
        SELECT ready.id, ready.task_name, ready.args, NULL, ready.priority
        FROM locked_queue
        CROSS JOIN LATERAL (
            SELECT id, task_name, args, priority
            FROM procrastinate_jobs
            WHERE queue_name = locked_queue.queue_name
              AND status = 'todo'
              AND scheduled_at IS NULL
              AND lock IS NOT NULL
              AND task_name = ANY(%(tasks)s)
            ORDER BY -priority, id
            LIMIT %(at_most)s
        ) AS ready
    )
    UNION ALL
    (
        SELECT id, task_name, args, scheduled_at, 0
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NOT NULL AND task_name = ANY(%(tasks)s)
        ORDER BY scheduled_at, id
        LIMIT %(at_most)s
    )
) AS next
ORDER BY next.scheduled_at NULLS FIRST, next.priority DESC, next.id
LIMIT %(at_most)s
