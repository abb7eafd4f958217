-- A job of Django's Tasks API as it is now, with the runs that ended and the times of its events, in one snapshot.
SELECT
    job.status::text,
    job.queue_name,
    job.priority,
    procrastinate_tasks_readable_v1(job.scheduled_at) AS scheduled_at,
    job.args::text,
    job.worker_id,
    event.first_started_at,
    event.last_started_at,
    event.ended_at,
    (
        SELECT jsonb_agg(to_jsonb(run) ORDER BY run.id)
        FROM procrastinate_tasks_jobattempt AS run
        WHERE run.job_id = job.id
    )::text AS attempts
FROM procrastinate_jobs AS job
CROSS JOIN LATERAL (
    SELECT
        min(at) FILTER (WHERE type = 'started') AS first_started_at,
        max(at) FILTER (WHERE type = 'started') AS last_started_at,
        max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS ended_at
    FROM procrastinate_events
    WHERE job_id = job.id
) AS event
WHERE job.id = %(job_id)s
  AND job.task_name = ANY(%(task_names)s)
  AND job.args ->> 'backend' = %(backend)s
