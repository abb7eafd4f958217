-- Set the limits of a queue, by hand or back to what the settings say; the starts already counted stay counted.
-- A project whose settings say nothing of the queue does not speak for others: what another one declared stays, and so
-- does a limit by hand while another declares one, until that one's next worker says which.
WITH others AS (
    SELECT FROM procrastinate_tasks_queuerule AS rule
    WHERE rule.queue_name = %(queue)s AND NOT %(is_said)s
      AND (
          NOT rule.limits_by_hand AND rule.declared_by NOT IN ('', %(project)s)
          OR EXISTS (
              SELECT FROM procrastinate_tasks_liveworker AS live
              WHERE live.project <> %(project)s AND jsonb_exists(live.limits, rule.queue_name)
          )
      )
),
written AS (
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
        (rate_limit, rate_period, concurrency_limit, declared_by) = (
            SELECT rule.rate_limit, rule.rate_period, rule.concurrency_limit, rule.declared_by
            WHERE EXISTS (SELECT FROM others)
            UNION ALL
            SELECT
                excluded.rate_limit, excluded.rate_period, excluded.concurrency_limit, excluded.declared_by
            WHERE NOT EXISTS (SELECT FROM others)
        ),
        limits_by_hand = excluded.limits_by_hand,
        updated_at = now()
)
SELECT procrastinate_tasks_wake_workers_v1(%(queue)s) AS woken
