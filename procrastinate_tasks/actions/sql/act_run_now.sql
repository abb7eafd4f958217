-- Make waiting jobs due, and wake the workers of their queues.
WITH due AS (
    UPDATE procrastinate_jobs
    SET scheduled_at = now()
    WHERE id = ANY(%(job_ids)s::bigint[])
      AND status = 'todo'
      AND scheduled_at > now()
    RETURNING id, queue_name
)
SELECT
    due.id,
    (
        SELECT count(procrastinate_tasks_wake_workers_v1(queue_name))
        FROM (SELECT DISTINCT queue_name FROM due) AS queue
    ) AS woken
FROM due
