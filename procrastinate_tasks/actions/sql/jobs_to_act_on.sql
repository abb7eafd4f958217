-- What decides about an action on jobs: their state, whether their workers live, who holds their queueing locks.
SELECT
    job.id,
    statement_timestamp() AS now,
    job.status::text AS status,
    job.task_name,
    job.queue_name,
    procrastinate_tasks_readable_v1(job.scheduled_at) AS scheduled_at,
    job.attempts,
    job.abort_requested,
    job.queueing_lock,
    {{is_alive at statement_timestamp()}} AS worker_is_alive,
    job.status = 'failed' AND coalesce(
        (
            SELECT attempt.outcome = 'parked' FROM procrastinate_tasks_jobattempt AS attempt
            WHERE attempt.job_id = job.id
            ORDER BY attempt.id DESC
            LIMIT 1
        ),
        false
    ) AS is_parked,
    (
        SELECT twin.id FROM procrastinate_jobs AS twin
        WHERE twin.queueing_lock = job.queueing_lock
          AND twin.status = 'todo'
          AND twin.id <> job.id
    ) AS twin_id
FROM procrastinate_jobs AS job
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
LEFT JOIN procrastinate_tasks_liveworker AS live ON live.worker_id = job.worker_id
WHERE job.id = ANY(%(job_ids)s::bigint[])
