-- Write down the limits that the settings declare, except where staff set others; a limit no longer declared goes.
WITH declared AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(queues)s::text[], %(rate_limits)s::integer[], %(rate_periods)s::interval[], %(concurrency_limits)s::integer[]
    ) AS item (queue_name, rate_limit, rate_period, concurrency_limit)
),
written AS (
    INSERT INTO procrastinate_tasks_queuerule AS rule (
        queue_name, paused_by, pause_reason, rate_limit, rate_period, concurrency_limit, limits_by_hand, recent_starts,
        updated_at
    )
    SELECT queue_name, '', '', rate_limit, rate_period, concurrency_limit, false, '{}', now()
    FROM declared
    ORDER BY queue_name
    ON CONFLICT (queue_name) DO UPDATE
    SET
        rate_limit = excluded.rate_limit,
        rate_period = excluded.rate_period,
        concurrency_limit = excluded.concurrency_limit,
        updated_at = now()
    WHERE NOT rule.limits_by_hand
      AND (rule.rate_limit, rule.rate_period, rule.concurrency_limit)
          IS DISTINCT FROM (excluded.rate_limit, excluded.rate_period, excluded.concurrency_limit)
    RETURNING rule.queue_name
),
lifted AS (
    UPDATE procrastinate_tasks_queuerule AS rule
    SET rate_limit = NULL, rate_period = NULL, concurrency_limit = NULL, updated_at = now()
    WHERE NOT limits_by_hand
      AND (rate_limit IS NOT NULL OR concurrency_limit IS NOT NULL)
      AND NOT EXISTS (SELECT FROM declared WHERE declared.queue_name = rule.queue_name)
    RETURNING rule.queue_name
)
SELECT count(procrastinate_tasks_wake_workers_v1(queue_name))
FROM (SELECT queue_name FROM written UNION ALL SELECT queue_name FROM lifted) AS changed
