-- The latest stretches of five minutes in which each task ran, at most so many.
SELECT task.name AS task_name, slot.slot_at, slot.succeeded, slot.failed, slot.retried, slot.run_p50
FROM unnest(%(tasks)s::text[]) AS task (name)
CROSS JOIN LATERAL (
    SELECT
        slot_at,
        sum(succeeded)::bigint AS succeeded,
        sum(failed)::bigint AS failed,
        sum(retried)::bigint AS retried,
        max(run_p50) AS run_p50
    FROM procrastinate_tasks_taskrollup
    WHERE task_name = task.name
    GROUP BY slot_at
    ORDER BY slot_at DESC
    LIMIT %(at_most)s
) AS slot
ORDER BY task.name, slot.slot_at
