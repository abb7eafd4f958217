-- The jobs that one fault struck since a moment, the latest first, each once with its last such run, and their state now.
SELECT
    run.id AS run_id,
    run.job_id,
    run.attempt,
    run.outcome,
    run.release,
    run.finished_at,
    job.status::text AS status,
    now() AS now
FROM (
    SELECT max(id) AS run_id
    FROM procrastinate_tasks_jobattempt
    WHERE task_name = %(task)s
      AND fingerprint = %(fingerprint)s
      AND exception_class = %(exception_class)s
      AND exception_class > ''
      AND (%(since)s::timestamptz IS NULL OR finished_at > %(since)s)
    GROUP BY job_id
    HAVING %(before)s::bigint IS NULL OR max(id) < %(before)s
    ORDER BY max(id) DESC
    LIMIT %(at_most)s
) AS latest
JOIN procrastinate_tasks_jobattempt AS run ON run.id = latest.run_id
LEFT JOIN procrastinate_jobs AS job ON job.id = run.job_id
ORDER BY run.id DESC
