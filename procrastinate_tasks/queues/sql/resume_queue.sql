-- Resume a paused queue and wake its workers. Answers whether it was paused.
WITH resumed AS (
    UPDATE procrastinate_tasks_queuerule
    SET paused_at = NULL, paused_by = '', pause_reason = '', paused_until = NULL, updated_at = now()
    WHERE queue_name = %(name)s
      AND paused_at IS NOT NULL
    RETURNING queue_name
)
SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) = 1 AS changed
FROM resumed
