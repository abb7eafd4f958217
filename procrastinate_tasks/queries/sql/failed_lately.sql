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
    SELECT job.queue_name, job.task_name, max(recent.at) AS at
    FROM recent
    JOIN procrastinate_jobs AS job ON job.id = recent.job_id
    WHERE job.status = 'failed'
    GROUP BY job.id
)
SELECT
    queue_name AS queue,
    task_name AS task,
    count(*) FILTER (WHERE at > now() - interval '1 hour') AS last_hour,
    count(*) FILTER (WHERE at > now() - interval '24 hours') AS last_day,
    count(*) FILTER (WHERE at <= now() - interval '24 hours') AS day_before
FROM failed
GROUP BY queue_name, task_name
ORDER BY queue_name, task_name
