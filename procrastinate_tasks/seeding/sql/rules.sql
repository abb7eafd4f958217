-- Pause one queue and limit another, unless they have rules.
WITH made AS (
    INSERT INTO procrastinate_tasks_queuerule (
        queue_name, paused_at, paused_by, pause_reason, rate_limit, rate_period, limits_by_hand, recent_starts, updated_at
    )
    SELECT
        queue, CASE WHEN place = 1 THEN now() - interval '70 minutes' END,
        CASE WHEN place = 1 THEN 'seed_jobs' ELSE '' END, CASE WHEN place = 1 THEN %(reason)s ELSE '' END,
        CASE WHEN place = 2 THEN 100 END, CASE WHEN place = 2 THEN interval '1 minute' END, place = 2, '{}', now()
    FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS wanted (queue, place)
    ON CONFLICT (queue_name) DO NOTHING
    RETURNING queue_name
)
SELECT coalesce(array_agg(queue_name), '{}') AS queues FROM made
