-- Whether a queue is paused.
SELECT EXISTS (
    SELECT FROM procrastinate_tasks_queuerule WHERE queue_name = %(queue)s AND paused_at IS NOT NULL
) AS is_paused
