-- The jobs that are failed and failed within the last 24 hours, by queue and task, and those of the day before: each
-- job once. The latest ends are looked at, at most so many.
WITH recent AS MATERIALIZED (
    SELECT job_id, at
    FROM procrastinate_events
    WHERE type = 'failed'
      AND type IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND at > now() - interval '48 hours'
    ORDER BY at DESC
    LIMIT %(at_most)s
),
failed AS (
    SELECT job_id, max(at) AS at FROM recent GROUP BY job_id
)
SELECT
    job.queue_name AS queue,
    job.task_name AS task,
    count(*) FILTER (WHERE failed.at > now() - interval '1 hour') AS last_hour,
    count(*) FILTER (WHERE failed.at > now() - interval '24 hours') AS last_day,
    count(*) FILTER (WHERE failed.at <= now() - interval '24 hours') AS day_before
FROM failed
CROSS JOIN LATERAL (
    SELECT queue_name, task_name FROM procrastinate_jobs WHERE id = failed.job_id AND status = 'failed' LIMIT 1
) AS job
GROUP BY job.queue_name, job.task_name
ORDER BY job.queue_name, job.task_name
