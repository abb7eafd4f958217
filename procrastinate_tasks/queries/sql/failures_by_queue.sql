-- How many jobs failed for good in the last hour and the last 24, by queue: the latest of them, at most so many.
WITH recent AS MATERIALIZED (
    SELECT job_id, at
    FROM procrastinate_events
    WHERE type = 'failed'
      AND type IN ('succeeded', 'failed', 'cancelled', 'aborted')
      AND at > now() - interval '24 hours'
    ORDER BY at DESC
    LIMIT %(at_most)s
)
SELECT
    job.queue_name AS queue,
    count(*) FILTER (WHERE recent.at > now() - interval '1 hour') AS last_hour,
    count(*) AS last_day
FROM recent
JOIN procrastinate_jobs AS job ON job.id = recent.job_id
GROUP BY job.queue_name
