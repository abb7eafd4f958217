-- Write down the limits that this project's settings declare, except where staff set others.
WITH declared AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(queues)s::text[], %(rate_limits)s::integer[], %(rate_periods)s::interval[], %(concurrency_limits)s::integer[]
    ) AS item (queue_name, rate_limit, rate_period, concurrency_limit)
),
written AS (
    INSERT INTO procrastinate_tasks_queuerule AS rule (
        queue_name, paused_by, pause_reason, rate_limit, rate_period, concurrency_limit, limits_by_hand, declared_by,
        recent_starts, updated_at
    )
    SELECT queue_name, '', '', rate_limit, rate_period, concurrency_limit, false, %(project)s::text, '{}', now()
    FROM declared
    ORDER BY queue_name
    ON CONFLICT (queue_name) DO UPDATE
    SET
        rate_limit = excluded.rate_limit,
        rate_period = excluded.rate_period,
        concurrency_limit = excluded.concurrency_limit,
        declared_by = excluded.declared_by,
        updated_at = now()
    WHERE NOT rule.limits_by_hand
      AND (rule.rate_limit, rule.rate_period, rule.concurrency_limit, rule.declared_by)
          IS DISTINCT FROM (
              excluded.rate_limit, excluded.rate_period, excluded.concurrency_limit, excluded.declared_by
          )
    RETURNING rule.queue_name
)
SELECT count(procrastinate_tasks_wake_workers_v1(queue_name)) FROM written
