-- Unfinished jobs by queue. Both branches read partial indexes: finished jobs cost nothing.
-- Our own workers say how long they may be silent before their jobs count as orphaned.
WITH waiting AS (
    SELECT
        queue_name,
        count(*) FILTER (WHERE scheduled_at IS NULL OR scheduled_at <= now()) AS due,
        count(*) FILTER (WHERE scheduled_at > now() AND attempts = 0) AS scheduled,
        count(*) FILTER (WHERE scheduled_at > now() AND attempts > 0) AS to_be_retried,
        min(id) FILTER (WHERE scheduled_at IS NULL) AS oldest_id,
        procrastinate_tasks_readable_v1(min(scheduled_at) FILTER (WHERE scheduled_at <= now())) AS oldest_due_at
    FROM procrastinate_jobs
    WHERE status = 'todo'
    GROUP BY queue_name
),
running AS (
    SELECT
        job.queue_name,
        count(*) AS running,
        count(*) FILTER (
            WHERE NOT {{is_alive}}
        ) AS orphaned
    FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
    WHERE job.status = 'doing'
    GROUP BY job.queue_name
)
SELECT
    queue_name AS queue,
    CASE WHEN rule.paused_at IS NULL THEN coalesce(waiting.due, 0) ELSE 0 END AS ready,
    CASE WHEN rule.paused_at IS NULL THEN 0 ELSE coalesce(waiting.due, 0) END AS paused,
    coalesce(waiting.scheduled, 0) AS scheduled,
    coalesce(waiting.to_be_retried, 0) AS to_be_retried,
    coalesce(running.running, 0) - coalesce(running.orphaned, 0) AS running,
    coalesce(running.orphaned, 0) AS orphaned,
    least(
        waiting.oldest_due_at,
        (
            SELECT min(event.at) FROM procrastinate_events AS event
            WHERE event.job_id = waiting.oldest_id AND event.type <> 'scheduled'
        )
    ) AS oldest_due_at
FROM waiting
FULL JOIN running USING (queue_name)
LEFT JOIN procrastinate_tasks_queuerule AS rule USING (queue_name)
ORDER BY queue_name
