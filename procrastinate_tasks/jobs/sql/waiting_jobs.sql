-- The waiting jobs of one task, the oldest first.
SELECT
    id, status, task_name, priority, lock, queueing_lock, args, procrastinate_tasks_readable_v1(scheduled_at) AS scheduled_at, queue_name, attempts, worker_id
FROM procrastinate_jobs
WHERE status = 'todo'
  AND task_name = %(task_name)s
ORDER BY id
