-- Seconds until the next waiting job may start on the served queues: 0 or less when one may now, NULL when none
-- waits or nobody knows: then a notification comes, of a queue that is resumed or of a running job that made room.
-- Beside it, whether a job is ready now, even if a limit holds it back. Jobs whose task the worker does not know
-- (%(tasks)s has the names as keys) are none of its business.
-- The orders are those of the indexes, so that the planner reads no other, whatever the statistics say.
WITH RECURSIVE known_queue (name) AS (
    (SELECT min(queue_name) FROM procrastinate_jobs)
    UNION ALL
    SELECT (SELECT min(queue_name) FROM procrastinate_jobs WHERE queue_name > known_queue.name)
    FROM known_queue
    WHERE known_queue.name IS NOT NULL
),
served_queue AS (
    SELECT name FROM known_queue WHERE name IS NOT NULL AND %(queues)s::text[] IS NULL
    UNION ALL
    SELECT unnest(%(queues)s::text[])
),
open_queue AS (
    SELECT
        served_queue.name,
        CASE
            WHEN rule.rate_limit IS NULL AND rule.concurrency_limit IS NULL THEN '-infinity'
            ELSE procrastinate_tasks_opens_at_v1(served_queue.name, clock_timestamp())
        END AS opens_at
    FROM served_queue
    LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = served_queue.name
    WHERE rule.paused_at IS NULL
),
waiting AS MATERIALIZED (
    SELECT
        open_queue.opens_at,
        CASE
            WHEN (
                SELECT true FROM procrastinate_jobs
                WHERE status = 'todo' AND queue_name = open_queue.name AND scheduled_at IS NULL
                  AND lock IS NULL
                  AND jsonb_exists({{open_tasks}}, task_name)
                ORDER BY -priority, id
                LIMIT 1
            ) OR (
                SELECT true FROM procrastinate_jobs
                WHERE status = 'todo' AND queue_name = open_queue.name AND scheduled_at IS NULL
                  AND lock IS NOT NULL
                  AND jsonb_exists({{open_tasks}}, task_name)
                ORDER BY -priority, id
                LIMIT 1
            ) THEN '-infinity'
            ELSE (
                SELECT procrastinate_tasks_readable_v1(least(
                    (
                        SELECT scheduled_at FROM procrastinate_jobs
                        WHERE status = 'todo' AND queue_name = open_queue.name AND scheduled_at IS NOT NULL
                          AND lock IS NULL
                          AND jsonb_exists({{open_tasks}}, task_name)
                        ORDER BY scheduled_at
                        LIMIT 1
                    ),
                    (
                        SELECT scheduled_at FROM procrastinate_jobs
                        WHERE status = 'todo' AND queue_name = open_queue.name AND scheduled_at IS NOT NULL
                          AND lock IS NOT NULL
                          AND jsonb_exists({{open_tasks}}, task_name)
                        ORDER BY scheduled_at
                        LIMIT 1
                    )
                ))
            )
        END AS due_at
    FROM open_queue
)
SELECT
    extract(
        EPOCH FROM min(greatest(due_at, opens_at, now())) FILTER (WHERE due_at IS NOT NULL AND opens_at < 'infinity')
        - clock_timestamp()
    )::double precision,
    coalesce(bool_or(due_at <= clock_timestamp()), false)
FROM waiting
