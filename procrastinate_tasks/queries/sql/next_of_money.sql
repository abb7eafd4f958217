-- The next jobs of some tasks: those that wait for a worker, in the order of their claim, then by the time they are due.
SELECT next.id, next.task_name, next.args::text AS args, procrastinate_tasks_readable_v1(next.scheduled_at) AS due_at
FROM (
    (
        SELECT id, task_name, args, scheduled_at, priority
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name = ANY(%(tasks)s)
        ORDER BY priority DESC, id
        LIMIT %(at_most)s
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
