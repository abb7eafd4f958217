-- Set the limits of a queue, by hand or back to what the settings say; the starts already counted stay counted.
WITH written AS (
    INSERT INTO procrastinate_tasks_queuerule AS rule (
        queue_name, paused_by, pause_reason, rate_limit, rate_period, concurrency_limit, limits_by_hand, declared_by,
        recent_starts, updated_at
    )
    VALUES (
        %(queue)s, '', '', %(rate_limit)s, %(rate_period)s, %(concurrency_limit)s, %(by_hand)s, %(project)s, '{}',
        now()
    )
    ON CONFLICT (queue_name) DO UPDATE
    SET
        rate_limit = excluded.rate_limit,
        rate_period = excluded.rate_period,
        concurrency_limit = excluded.concurrency_limit,
        limits_by_hand = excluded.limits_by_hand,
        declared_by = excluded.declared_by,
        updated_at = now()
)
SELECT procrastinate_tasks_wake_workers_v1(%(queue)s) AS woken
