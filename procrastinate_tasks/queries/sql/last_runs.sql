-- The state of some jobs and how their last run ended; a pruned job has no status, a pruned run no outcome.
SELECT
    wanted.id,
    job.status::text AS status,
    run.outcome,
    run.finished_at,
    procrastinate_tasks_readable_v1(run.finished_at) - procrastinate_tasks_readable_v1(run.started_at) AS lasted,
    run.result::text AS result,
    run.exception_class
FROM unnest(%(job_ids)s::bigint[]) AS wanted (id)
LEFT JOIN procrastinate_jobs AS job ON job.id = wanted.id
LEFT JOIN LATERAL (
    SELECT outcome, started_at, finished_at, result, exception_class
    FROM procrastinate_tasks_jobattempt AS attempt
    WHERE attempt.job_id = wanted.id
    ORDER BY attempt.id DESC
    LIMIT 1
) AS run ON true
