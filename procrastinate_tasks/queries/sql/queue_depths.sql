-- Unfinished jobs by queue, each in one state. Every branch reads a partial index: finished jobs cost nothing, and of what
-- is due later nothing but the index is read. Those without a time and those whose time has come are asked for apart: the
-- indexes of the former hold all that is asked of them, and none of those for later, which mostly are many more.
-- Of the due jobs with one lock the first is ready, if none with it runs; the others are blocked, as a claim has it.
WITH due_locked AS (
    SELECT id, queue_name, task_name, lock, priority, NULL::timestamptz AS scheduled_at
    FROM procrastinate_jobs
    WHERE status = 'todo' AND lock IS NOT NULL AND scheduled_at IS NULL
    UNION ALL
    SELECT id, queue_name, task_name, lock, priority, scheduled_at
    FROM procrastinate_jobs
    WHERE status = 'todo' AND lock IS NOT NULL AND scheduled_at <= now()
),
locked AS (
    SELECT
        job.queue_name,
        job.task_name,
        job.id,
        job.scheduled_at,
        row_number() OVER (PARTITION BY job.lock ORDER BY job.priority DESC, job.id) > 1
        OR job.lock IN (
            SELECT holder.lock FROM procrastinate_jobs AS holder
            WHERE holder.status = 'doing' AND holder.lock IS NOT NULL
        ) AS is_blocked
    FROM due_locked AS job
),
waiting AS (
    SELECT
        queue_name,
        task_name,
        false AS is_blocked,
        count(*) AS due,
        0::bigint AS scheduled,
        0::bigint AS to_be_retried,
        min(id) AS oldest_id,
        NULL::timestamptz AS oldest_at
    FROM procrastinate_jobs
    WHERE status = 'todo' AND lock IS NULL AND scheduled_at IS NULL
    GROUP BY queue_name, task_name
    UNION ALL
    SELECT queue_name, task_name, false, count(*), 0, 0, NULL, min(scheduled_at)
    FROM procrastinate_jobs
    WHERE status = 'todo' AND lock IS NULL AND scheduled_at <= now()
    GROUP BY queue_name, task_name
    UNION ALL
    SELECT
        queue_name,
        '',
        false,
        0,
        count(*) FILTER (WHERE attempts = 0),
        count(*) FILTER (WHERE attempts > 0),
        NULL,
        NULL
    FROM procrastinate_jobs
    WHERE status = 'todo' AND scheduled_at > now()
    GROUP BY queue_name
    UNION ALL
    SELECT
        queue_name,
        task_name,
        is_blocked,
        count(*),
        0,
        0,
        min(id) FILTER (WHERE scheduled_at IS NULL),
        min(scheduled_at)
    FROM locked
    GROUP BY queue_name, task_name, is_blocked
),
judged AS MATERIALIZED (
    SELECT
        job.*,
        {{is_paused}} AS is_paused,
        least(
            job.oldest_at,
            (
                SELECT min(event.at) FROM procrastinate_events AS event
                WHERE event.job_id = job.oldest_id AND event.type <> 'scheduled'
            )
        ) AS due_since
    FROM waiting AS job
    LEFT JOIN procrastinate_tasks_queuerule AS rule ON rule.queue_name = job.queue_name
),
depth AS (
    SELECT
        queue_name,
        coalesce(sum(due) FILTER (WHERE NOT is_paused AND NOT is_blocked), 0) AS ready,
        coalesce(sum(due) FILTER (WHERE NOT is_paused AND is_blocked), 0) AS blocked,
        coalesce(sum(due) FILTER (WHERE is_paused), 0) AS paused,
        sum(scheduled) AS scheduled,
        sum(to_be_retried) AS to_be_retried,
        min(due_since) FILTER (WHERE NOT is_paused AND NOT is_blocked) AS oldest_ready_at,
        min(due_since) AS oldest_due_at
    FROM judged
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
    coalesce(depth.ready, 0)::bigint AS ready,
    coalesce(depth.blocked, 0)::bigint AS blocked,
    coalesce(depth.paused, 0)::bigint AS paused,
    coalesce(depth.scheduled, 0)::bigint AS scheduled,
    coalesce(depth.to_be_retried, 0)::bigint AS to_be_retried,
    coalesce(running.running, 0) - coalesce(running.orphaned, 0) AS running,
    coalesce(running.orphaned, 0) AS orphaned,
    depth.oldest_ready_at,
    depth.oldest_due_at
FROM depth
FULL JOIN running USING (queue_name)
ORDER BY queue_name
