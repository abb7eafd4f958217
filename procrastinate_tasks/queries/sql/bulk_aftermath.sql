-- What became of the jobs that a bulk operation acted on, since it did: of the first %(at_most)s. The first end after
-- that counts; without one a job waits or runs, and of a pruned one its last run tells. Arguments are those of money.
SELECT
    item.job_id AS id,
    coalesce(
        ending.type::text,
        CASE WHEN job.status = 'doing' THEN 'running' WHEN job.status = 'todo' THEN 'waiting' END,
        run.outcome,
        'unknown'
    ) AS became,
    coalesce(job.task_name, '') AS task_name,
    CASE WHEN job.task_name = ANY(%(money)s) THEN job.args::text END AS args
FROM (
    SELECT job_id, done_at
    FROM procrastinate_tasks_bulkitem
    WHERE operation_id = %(operation_id)s AND outcome = 'applied'
    ORDER BY id
    LIMIT %(at_most)s
) AS item
LEFT JOIN procrastinate_jobs AS job ON job.id = item.job_id
LEFT JOIN LATERAL (
    SELECT event.type FROM procrastinate_events AS event
    WHERE event.job_id = item.job_id
      AND event.at >= item.done_at
      AND event.type IN ('succeeded', 'failed', 'cancelled', 'aborted')
    ORDER BY event.id
    LIMIT 1
) AS ending ON true
LEFT JOIN LATERAL (
    SELECT attempt.outcome FROM procrastinate_tasks_jobattempt AS attempt
    WHERE job.id IS NULL AND attempt.job_id = item.job_id AND attempt.finished_at >= item.done_at
    ORDER BY attempt.id DESC
    LIMIT 1
) AS run ON true
