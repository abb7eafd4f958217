-- The latest jobs that one fault struck since a moment, each once with its last such run, and their state now.
SELECT
    run.job_id,
    run.attempt,
    run.outcome,
    run.message,
    run.release,
    run.finished_at,
    job.status::text AS status,
    now() AS now
FROM (
    SELECT DISTINCT ON (job_id) *
    FROM (
        SELECT job_id, attempt, outcome, message, release, finished_at
        FROM procrastinate_tasks_jobattempt
        WHERE task_name = %(task)s
          AND fingerprint = %(fingerprint)s
          AND exception_class = %(exception_class)s
          AND exception_class > ''
          AND (%(since)s::timestamptz IS NULL OR finished_at > %(since)s)
        ORDER BY finished_at DESC
        LIMIT %(at_most)s
    ) AS latest
    ORDER BY job_id, finished_at DESC
) AS run
LEFT JOIN procrastinate_jobs AS job ON job.id = run.job_id
ORDER BY run.finished_at DESC
