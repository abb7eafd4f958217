-- The queues that are paused or limited, what they run and how many they started within their period.
SELECT
    rule.queue_name,
    rule.paused_at,
    rule.paused_by,
    rule.pause_reason,
    rule.paused_until,
    rule.rate_limit,
    rule.rate_period,
    rule.concurrency_limit,
    rule.limits_by_hand,
    rule.rate_limit - rate.room AS recent_starts,
    (
        SELECT count(*) FROM procrastinate_jobs AS job WHERE job.status = 'doing' AND job.queue_name = rule.queue_name
    ) AS running
FROM procrastinate_tasks_queuerule AS rule
CROSS JOIN LATERAL procrastinate_tasks_rate_room_v1(rule, now()) AS rate
WHERE rule.paused_at IS NOT NULL
   OR rule.rate_limit IS NOT NULL
   OR rule.concurrency_limit IS NOT NULL
ORDER BY rule.queue_name
